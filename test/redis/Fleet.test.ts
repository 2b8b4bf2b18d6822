/**
 * The breaker and the rate limit of a subscriber that runs in several processes: one decision for all of them
 * while there is Redis, one for each while it is away, and no delivery that waits for it (P4).
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schedule, SubscriptionRef } from "effect"
import { upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive } from "../support/live.ts"
import type { RedisNode } from "../support/RedisNode.ts"
import type { SubscriberOptions } from "../../src/bus/subscriber/SubscriberOptions.ts"
import { awaitHealth, isWritten, Moved, type Service, service } from "./ServiceOnRedis.ts"
import { cli, node, until } from "./support.ts"

type Options = Pick<Partial<SubscriberOptions<typeof Moved, never, never>>, "breaker" | "rateLimit"> & {
  readonly redisTimeout?: "30 seconds"
}

/** While Redis is there, no attempt is decided alone, however slow this machine is. */
const patient = { redisTimeout: "30 seconds" } as const

/** A process with a broker of its own, and the one Redis. */
const member = Effect.fnUntraced(function* (redis: RedisNode, { redisTimeout, ...options }: Options) {
  const live = yield* service({ url: "memory://", redisUrl: redis.url, ...(redisTimeout && { redisTimeout }) })
  yield* awaitHealth(live, "up", isWritten)
  const state = { down: false, attempts: 0, handled: 0 }
  const subscription = yield* live.bus.subscribe("fleet.member", {
    events: [Moved],
    concurrency: 1,
    retry: Schedule.spaced("1 second"),
    handler: () =>
      Effect.suspend(() => {
        state.attempts++
        if (state.down) return Effect.fail("the database is down")
        state.handled++
        return Effect.void
      }),
    ...options
  })
  return { ...live, state, status: subscription.status, stats: subscription.stats }
})

type Member = Effect.Success<ReturnType<typeof member>>

const give = ({ bus }: Service, count: number) =>
  bus.publishAll(
    Moved,
    upTo(count).map((n) => ({ n, k: `k${n}` }))
  )
const is = ({ status }: Member, tag: "Paused" | "Running") =>
  until(
    tag,
    Effect.map(SubscriptionRef.get(status), ({ _tag }) => _tag === tag)
  )
const handles = ({ state }: Member, count: number) =>
  until(
    `${count} are handled`,
    Effect.sync(() => state.handled === count)
  )

/** This many are held, and none is attempted. */
const waiting = ({ stats }: Member, count: number) =>
  until(
    `${count} wait`,
    Effect.map(stats, ({ held, inFlight }) => held === count && inFlight === 0)
  )

describeLive(
  "a fleet",
  () => {
    it.live("R3: stops at once: a process without a failure does not attempt either", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const options = { ...patient, breaker: { failures: 3, openDuration: "1 hour" } } as const
        const [here, there] = [yield* member(redis, options), yield* member(redis, options)]
        here.state.down = true
        yield* give(here, 3)
        yield* is(here, "Paused")
        yield* give(there, 5)
        yield* is(there, "Paused")
        assert.deepStrictEqual([here.state.attempts, there.state.attempts], [3, 0])
      })
    )

    it.live("R3, D1, P4: each decides by itself while Redis is away, and together when it is back", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const breaker = { failures: 3, openDuration: "1 second" } as const
        const [here, there] = [yield* member(redis, { breaker }), yield* member(redis, { breaker })]
        yield* Effect.promise(() => redis.kill())
        for (const one of [here, there]) yield* awaitHealth(one, "degraded", ({ status }) => status === "degraded")
        here.state.down = true
        yield* give(here, 5)
        yield* is(here, "Paused")
        yield* give(there, 5)
        yield* handles(there, 5)
        assert.strictEqual((yield* SubscriptionRef.get(there.status))._tag, "Running")
        yield* Effect.promise(() => redis.restart())
        for (const one of [here, there]) yield* awaitHealth(one, "up", ({ status }) => status === "up")
        here.state.down = false
        yield* handles(here, 5)
        there.state.down = true
        yield* give(there, 3)
        yield* is(there, "Paused")
        assert.include(yield* cli(redis, "HGET", "eduflow:{@breaker}:eduflow.fleet.member", "state"), "Open")
        there.state.down = false
        yield* handles(there, 8)
      })
    )

    it.live("D1, P4: has one limit for all, and one for each while Redis is away", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const options = { ...patient, rateLimit: { limit: 5, window: "1 hour" } } as const
        const [here, there] = [yield* member(redis, options), yield* member(redis, options)]
        yield* give(here, 5)
        yield* handles(here, 5)
        yield* give(there, 5)
        yield* waiting(there, 5)
        assert.strictEqual(there.state.handled, 0)
        yield* Effect.promise(() => redis.kill())
        yield* awaitHealth(here, "degraded", ({ status }) => status === "degraded")
        yield* give(here, 10)
        yield* handles(here, 10)
        yield* waiting(here, 5)
        assert.strictEqual(here.state.handled, 10)
      })
    )

    it.live("D2, P4: handles events while Redis hangs, and waits for it at most three times", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const options = { breaker: { failures: 3 }, rateLimit: { limit: 1_000, window: "1 second" } } as const
        const alone = yield* member(redis, options)
        yield* give(alone, 10)
        yield* handles(alone, 10)
        yield* Effect.promise(() => redis.suspend())
        yield* give(alone, 150)
        // Each event asks three times, for 150 ms, one event after the other: a minute, if all of it waited.
        yield* handles(alone, 160)
        yield* Effect.promise(() => redis.resume())
      })
    )
  },
  ["redisNode"]
)
