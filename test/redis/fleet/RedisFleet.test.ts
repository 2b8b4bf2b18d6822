/** The fleet in Redis against the conformance suite, its keys, and who may write which of them. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as AclRules from "../../../src/redis/connection/AclRules.ts"
import * as Keys from "../../../src/redis/connection/Keys.ts"
import * as RedisClient from "../../../src/redis/connection/RedisClient.ts"
import * as RedisFleet from "../../../src/redis/fleet/RedisFleet.ts"
import { fleetCases, type Presence } from "../../../src/ports/index.ts"
import { conforms } from "../../support/conformance.ts"
import { describeLive, freshNamespace, redisUrl } from "../../support/live.ts"
import { cli, node, until } from "../support.ts"

describeLive(
  "on Redis",
  () => {
    const prefix = freshNamespace()
    conforms(
      "RedisFleet",
      Layer.provide(
        RedisFleet.layer,
        RedisClient.RedisClient.layer({ url: Redacted.make(redisUrl()), prefix, commandTimeout: "10 seconds" })
      ),
      fleetCases
    )
  },
  ["redis"]
)

const presence = (process: string): Presence => ({
  process,
  source: "grades",
  host: "here",
  pid: 1,
  library: "a library",
  startedAt: "2026-01-02T03:04:05.000Z",
  subscribers: []
})
const pause = { by: "alice", since: new Date(Date.UTC(2026, 0, 2)), reason: "the mail server is down" }

const clientOf = (url: string) => RedisClient.make({ url: Redacted.make(url), commandTimeout: "10 seconds" })

describeLive(
  "the keys of a fleet",
  () => {
    const { paused, processes, seen } = Keys.make("eduflow").fleet

    it.live("what processes say ends with its time to live; a pause has none, and survives them all", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const client = yield* clientOf(redis.url)
        const [long, short] = [RedisFleet.make(client), RedisFleet.make(client, 200)]
        const ids = Effect.map(long.processes, (found) => found.map(({ record }) => (record as Presence).process))
        yield* long.pause("mailer", pause)
        yield* short.appear(presence("short"))
        yield* long.appear(presence("long"))
        const ttl = Number(yield* cli(redis, "PTTL", processes))
        assert(ttl > 20_000 && ttl <= 30_000, String(ttl))
        yield* until(
          "it is gone from the list",
          Effect.map(ids, (found) => found.join(" ") === "long")
        )
        // Its record is swept by the next one that somebody writes.
        yield* long.appear(presence("long"))
        assert.deepStrictEqual([yield* cli(redis, "HLEN", processes), yield* cli(redis, "ZCARD", seen)], ["1", "1"])
        yield* long.leave("long")
        yield* short.appear(presence("short"))
        yield* until(
          "both keys are gone",
          Effect.map(cli(redis, "EXISTS", processes, seen), (count) => count === "0")
        )
        assert.strictEqual(yield* cli(redis, "TTL", paused), "-1")
        assert.deepStrictEqual((yield* long.pauses).get("mailer"), pause)
      })
    )

    it.live(
      "P15: what somebody else wrote there stops nothing: a pause by hand pauses, a record is shown as it is",
      () =>
        Effect.gen(function* () {
          const redis = yield* node()
          const fleet = RedisFleet.make(yield* clientOf(redis.url))
          yield* cli(redis, "HSET", paused, "mailer", "x", "other", '{"by":7,"since":"soon"}')
          yield* fleet.appear(presence("one"))
          yield* cli(redis, "HSET", processes, "one", "no JSON")
          const pauses = yield* fleet.pauses
          const unknown = { by: "", reason: "", since: new Date(0) }
          assert.deepStrictEqual([pauses.get("mailer"), pauses.get("other")], [unknown, unknown])
          assert.deepStrictEqual(
            (yield* fleet.processes).map(({ record }) => record),
            [undefined]
          )
        })
    )

    it.live("a service says that it is there and reads what is paused; operators alone pause and resume", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const as = Effect.fnUntraced(function* (user: string, rules: string) {
          yield* cli(redis, "ACL", "SETUSER", user, "on", ">pw", ...rules.split(" "))
          return RedisFleet.make(yield* clientOf(redis.url.replace("//", `//${user}:pw@`)))
        })
        const service = yield* as("grades", AclRules.rulesOfService("eduflow", "eduflow-grades"))
        const operator = yield* as("operator", AclRules.rulesOfOperator("eduflow"))
        assert.strictEqual((yield* service.appear(presence("one"))).size, 0)
        for (const work of [service.pause("mailer", pause), service.resume("mailer")]) {
          const { reason } = yield* Effect.flip(work)
          assert.deepInclude(reason, { _tag: "Refused", code: "NOPERM" })
        }
        assert.strictEqual(yield* cli(redis, "EXISTS", paused), "0")
        yield* operator.pause("mailer", pause)
        assert.deepStrictEqual((yield* service.appear(presence("one"))).get("mailer"), pause)
        assert.deepStrictEqual((yield* service.pauses).get("mailer"), pause)
        const refused = yield* Effect.flip(service.resume("mailer"))
        assert.deepInclude(refused.reason, { code: "NOPERM" })
        assert.lengthOf(yield* operator.processes, 1)
        assert.lengthOf(yield* service.processes, 1)
        assert.isTrue(yield* operator.resume("mailer"))
        yield* service.leave("one")
        assert.lengthOf(yield* operator.processes, 0)
      })
    )
  },
  ["redisNode"]
)
