/** The marks in Redis against the suite of all stores; and what becomes of a claim whose answer is lost. */
import { assert, it } from "@effect/vitest"
import { Effect, Option, Random, Redacted } from "effect"
import type { Claim, MarkStore } from "../../src/bus/Marks.ts"
import * as RedisClient from "../../src/redis/RedisClient.ts"
import * as RedisMarks from "../../src/redis/RedisMarks.ts"
import { markSuite } from "../suites/MarkSuite.ts"
import { describeLive, freshNamespace, redisUrl } from "../support/live.ts"
import { proxyTo } from "./Stage.ts"
import { node, until } from "./support.ts"

const isClaimed = ({ _tag }: Claim): boolean => _tag === "Claimed"

describeLive(
  "on Redis",
  () => {
    const prefix = freshNamespace()
    markSuite(
      "RedisMarks",
      Effect.flatMap(
        RedisClient.make({ url: Redacted.make(redisUrl()), prefix, commandTimeout: "10 seconds" }),
        RedisMarks.make
      )
    )
  },
  ["redis"]
)

describeLive(
  "claims and a Redis that hangs",
  () => {
    const subject = { subscriber: "s", id: "e" }
    /** Two processes, and a Redis that hangs until it is resumed. */
    const stage = Effect.gen(function* () {
      const redis = yield* node()
      const open = Effect.gen(function* () {
        const client = yield* RedisClient.make({ url: Redacted.make(redis.url) })
        const up = until(
          "up",
          Effect.sync(() => client.status()._tag === "Up")
        )
        yield* up
        return { marks: yield* RedisMarks.make(client), up }
      })
      const [here, there] = [yield* open, yield* open]
      const resume = Effect.andThen(
        Effect.promise(() => redis.resume()),
        Effect.andThen(here.up, there.up)
      )
      return { here, there, hang: Effect.promise(() => redis.suspend()), resume }
    })

    it.live("D2, D6, N17: a claim that hung with Redis is nobody's: it holds up neither this process nor another", () =>
      Effect.gen(function* () {
        const { hang, here, resume, there } = yield* stage
        yield* hang
        for (const claimant of ["a", "b"])
          assert.strictEqual(
            (yield* Effect.flip(here.marks.claim(subject, claimant, 60_000))).reason._tag,
            "Unavailable"
          )
        yield* resume
        // It is run, although nobody waits for it any more.
        yield* until(
          "it is given up",
          Effect.map(there.marks.claim(subject, "c", 60_000), ({ _tag }) => _tag === "Claimed")
        )
        assert.strictEqual((yield* here.marks.claim(subject, "d", 60_000))._tag, "Held")
      })
    )

    it.live("D2, D6, N17: who asks again takes over what hung, although it stands there", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const client = yield* RedisClient.make({ url: Redacted.make(redis.url) })
        const up = until(
          "up",
          Effect.sync(() => client.status()._tag === "Up")
        )
        yield* up
        // Whatever is given up by itself is so in ages.
        const marks = yield* Effect.provideService(RedisMarks.make(client), Random.Random, {
          nextDoubleUnsafe: () => 1e6,
          nextIntUnsafe: () => 0
        })
        yield* Effect.promise(() => redis.suspend())
        yield* Effect.flip(marks.claim({ ...subject, id: "first" }, "a", 60_000))
        yield* Effect.flip(marks.claim(subject, "a", 60_000))
        yield* Effect.promise(() => redis.resume())
        yield* up
        assert.strictEqual((yield* marks.claim(subject, "b", 60_000))._tag, "Claimed")
        assert.strictEqual((yield* marks.claim(subject, "c", 60_000))._tag, "Held")
        assert.isTrue(yield* marks.done(subject, "b", 60_000))
      })
    )

    it.live("D1, N17: a claim that could not be given up is, when there is a connection again", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const proxy = yield* proxyTo(redis)
        const client = yield* RedisClient.make({ url: Redacted.make(`redis://127.0.0.1:${proxy.port}`) })
        const [here, there] = [
          yield* RedisMarks.make(client),
          yield* RedisMarks.make(yield* RedisClient.make({ url: Redacted.make(redis.url) }))
        ]
        const claims = (marks: MarkStore, claimant: string) =>
          Effect.map(Effect.option(marks.claim(subject, claimant, 60_000)), Option.exists(isClaimed))
        yield* until("it is claimed", claims(here, "a"))
        yield* Effect.promise(() => proxy.refuse(true))
        proxy.reset()
        yield* until(
          "gone",
          Effect.sync(() => client.status()._tag === "Down")
        )
        yield* Effect.flip(here.release(subject, "a"))
        yield* Effect.promise(() => proxy.refuse(false))
        yield* until("it is free", claims(there, "b"))
      })
    )
  },
  ["redisNode"]
)
