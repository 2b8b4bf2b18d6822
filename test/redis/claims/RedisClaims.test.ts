/** The claims in Redis against the conformance suite, and claims whose answer is lost. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Random, Redacted } from "effect"
import type { Claim, ClaimStore } from "../../../src/bus/port/ClaimStore.ts"
import * as RedisClient from "../../../src/redis/connection/RedisClient.ts"
import * as Keys from "../../../src/redis/connection/Keys.ts"
import * as FormerClaims from "../../../src/redis/claims/FormerClaims.ts"
import * as RedisClaims from "../../../src/redis/claims/RedisClaims.ts"
import { claimStoreCases } from "../../../src/ports/index.ts"
import { conforms } from "../../support/conformance.ts"
import { describeLive, freshNamespace, redisUrl } from "../../support/live.ts"
import { proxyTo } from "../ServiceOnRedis.ts"
import { cli, node, until } from "../support.ts"

const isClaimed = ({ _tag }: Claim): boolean => _tag === "Claimed"

describeLive(
  "on Redis",
  () => {
    const prefix = freshNamespace()
    conforms(
      "RedisClaims",
      Layer.provide(
        RedisClaims.layer,
        RedisClient.RedisClient.layer({ url: Redacted.make(redisUrl()), prefix, commandTimeout: "10 seconds" })
      ),
      claimStoreCases
    )
  },
  ["redis"]
)

describeLive(
  "claims and done marks of the former form",
  () => {
    const subject = { subscriber: "s", source: "o", type: "a.b", id: "e/1" }
    const former = "eduflow:{s/e%2F1}:mark"
    const stage = Effect.gen(function* () {
      const redis = yield* node()
      const client = yield* RedisClient.make({ url: Redacted.make(redis.url), commandTimeout: "10 seconds" })
      return { redis, client, claims: yield* RedisClaims.make(client) }
    })

    it.live("D6, N17: what was handled before a deploy is done after it, and leaves no claim behind", () =>
      Effect.gen(function* () {
        const { claims, redis } = yield* stage
        yield* cli(redis, "SET", former, "done", "PX", "60000")
        assert.deepStrictEqual(yield* claims.claim(subject, "a", 60_000), { _tag: "Done" })
        assert.strictEqual((yield* claims.claim({ ...subject, id: "other" }, "a", 60_000))._tag, "Claimed")
        yield* cli(redis, "DEL", former)
        assert.strictEqual((yield* claims.claim(subject, "b", 60_000))._tag, "Claimed")
      })
    )

    it.live("D6, N17: a namespace of its own for state begins with what was done in the common one", () =>
      Effect.gen(function* () {
        const { redis } = yield* stage
        const options = { url: Redacted.make(redis.url), statePrefix: "own", commandTimeout: "10 seconds" } as const
        const context = yield* Layer.build(
          Layer.provide(RedisClient.RedisClient.ofService, RedisClient.RedisClient.layer(options))
        )
        const claims = yield* RedisClaims.make(Context.get(context, RedisClient.RedisClient))
        const keyIn = (prefix: string): string => Keys.make(prefix).claim("s", subject)
        for (const before of [keyIn("eduflow"), former]) {
          yield* cli(redis, "SET", before, "done", "PX", "60000")
          assert.deepStrictEqual(yield* claims.claim(subject, "a", 60_000), { _tag: "Done" }, before)
          yield* cli(redis, "DEL", before)
        }
        assert.strictEqual((yield* claims.claim(subject, "b", 60_000))._tag, "Claimed")
        assert.isTrue(yield* claims.done(subject, "b", 60_000))
        assert.match(yield* cli(redis, "GET", keyIn("own")), /^done/)
      })
    )

    it.live("D6, N17: what another process handles since before the deploy is held until its claim ends", () =>
      Effect.gen(function* () {
        const { claims, redis } = yield* stage
        yield* cli(redis, "SET", former, "1796000000000000:old.1", "PX", "40000")
        const held = yield* claims.claim(subject, "a", 60_000)
        assert(held._tag === "Held" && held.millis > 0 && held.millis <= 40_000, JSON.stringify(held))
        yield* cli(redis, "SET", former, "done", "PX", "60000")
        assert.deepStrictEqual(yield* claims.claim(subject, "a", 60_000), { _tag: "Done" })
      })
    )

    it.live("they are read for two days: until then each has expired", () =>
      Effect.gen(function* () {
        const { client, redis } = yield* stage
        let now = 0
        const claims = FormerClaims.make(Keys.make("eduflow"), undefined, () => now)
        const find = client.use((commands) => claims.find(commands, subject))
        yield* cli(redis, "SET", former, "done", "PX", "60000")
        now = 48 * 60 * 60 * 1000 - 1
        assert.deepStrictEqual(yield* find, { _tag: "Done" })
        now++
        assert.isUndefined(yield* find)
      })
    )
  },
  ["redisNode"]
)

describeLive(
  "claims and a Redis that hangs",
  () => {
    const subject = { subscriber: "s", source: "o", type: "a.b", id: "e" }
    /** Hangs are long enough to be told from a busy machine. */
    const commandTimeout = "2 seconds"
    /** Two processes, and a Redis that hangs until it is resumed. */
    const stage = Effect.gen(function* () {
      const redis = yield* node()
      const open = Effect.gen(function* () {
        const client = yield* RedisClient.make({ url: Redacted.make(redis.url), commandTimeout })
        const up = until(
          "up",
          Effect.sync(() => client.status()._tag === "Up")
        )
        yield* up
        return { claims: yield* RedisClaims.make(client), up }
      })
      const [here, there] = [yield* open, yield* open]
      const resume = Effect.andThen(
        Effect.promise(() => redis.resume()),
        Effect.andThen(here.up, there.up)
      )
      return { here, there, hang: Effect.promise(() => redis.suspend()), resume }
    })

    it.live("D2, D6, N17: a claim whose answer was lost blocks neither this process nor another", () =>
      Effect.gen(function* () {
        const { hang, here, resume, there } = yield* stage
        yield* hang
        for (const claimant of ["a", "b"])
          assert.strictEqual(
            (yield* Effect.flip(here.claims.claim(subject, claimant, 60_000))).reason._tag,
            "Unavailable"
          )
        yield* resume
        // Redis runs it, although nobody waits for it any more.
        yield* until(
          "it is given up",
          Effect.map(there.claims.claim(subject, "c", 60_000), ({ _tag }) => _tag === "Claimed")
        )
        assert.strictEqual((yield* here.claims.claim(subject, "d", 60_000))._tag, "Held")
      })
    )

    it.live("D2, D6, N17: asking again takes over a claim whose answer was lost", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const client = yield* RedisClient.make({ url: Redacted.make(redis.url), commandTimeout })
        const up = until(
          "up",
          Effect.sync(() => client.status()._tag === "Up")
        )
        yield* up
        // Released by itself it would be much later.
        const store = yield* Effect.provideService(RedisClaims.make(client), Random.Random, {
          nextDoubleUnsafe: () => 1e6,
          nextIntUnsafe: () => 0
        })
        yield* Effect.promise(() => redis.suspend())
        yield* Effect.flip(store.claim({ ...subject, id: "first" }, "a", 60_000))
        yield* Effect.flip(store.claim(subject, "a", 60_000))
        yield* Effect.promise(() => redis.resume())
        yield* up
        assert.strictEqual((yield* store.claim(subject, "b", 60_000))._tag, "Claimed")
        assert.strictEqual((yield* store.claim(subject, "c", 60_000))._tag, "Held")
        assert.isTrue(yield* store.done(subject, "b", 60_000))
      })
    )

    it.live("D1, N17: a claim that could not be released is released when there is a connection again", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const proxy = yield* proxyTo(redis)
        const client = yield* RedisClient.make({
          url: Redacted.make(`redis://127.0.0.1:${proxy.port}`),
          commandTimeout
        })
        const [here, there] = [
          yield* RedisClaims.make(client),
          yield* RedisClaims.make(yield* RedisClient.make({ url: Redacted.make(redis.url), commandTimeout }))
        ]
        const claims = (store: ClaimStore["Service"], claimant: string) =>
          Effect.map(Effect.option(store.claim(subject, claimant, 60_000)), Option.exists(isClaimed))
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
