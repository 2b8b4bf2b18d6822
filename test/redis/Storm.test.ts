/** Many clients wait for a Redis that comes back: they return one by one, each with one probe, and without a queue. */
import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { describeLive } from "../support/live.ts"
import type { RedisNode } from "../support/RedisNode.ts"
import { cli, entry, node, open, reasonOf, until, written } from "./support.ts"

/** How often Redis ran each command since it started or since the last reset of its counters. */
const calls = Effect.fnUntraced(function* (redis: RedisNode) {
  const info = yield* cli(redis, "INFO", "commandstats")
  const counts = [...info.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)]
  return (command: string): number => Number(counts.find(([, name]) => name === command)?.[2] ?? 0)
})

const deadline = 150
/** How long the log waits: for the end of an outage, and before it sums up lines that it held back. */
const logWaits = [1000, 10_000]

describeLive(
  "Redis comes back",
  () => {
    it.live(
      "D8: 20 clients probe at different times, less and less often, and send nothing that waited in a queue",
      () =>
        Effect.gen(function* () {
          const redis = yield* node()
          const clock = yield* Clock.Clock
          const clients = yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => n),
            Effect.fnUntraced(function* (n) {
              const waits: Array<number> = []
              const noting: Clock.Clock = Object.create(clock, {
                sleep: {
                  value: (duration: Duration.Duration) => {
                    const millis = Duration.toMillis(duration)
                    if (millis !== deadline && !logWaits.includes(millis)) waits.push(millis)
                    return clock.sleep(duration)
                  }
                }
              })
              const store = yield* Effect.provideService(open(redis.url), Clock.Clock, noting)
              yield* until(
                "up",
                Effect.map(store.probe, ({ status }) => status === "up")
              )
              return { n, store, waits }
            })
          )
          yield* Effect.promise(() => redis.kill())
          for (const { store, waits } of clients) {
            yield* until(
              "probed in vain 5 times",
              Effect.sync(() => waits.length >= 5)
            )
            for (let read = 0; read < 20; read++) assert.strictEqual(yield* reasonOf(store), "Unavailable")
          }
          // Full jitter below a bound that doubles.
          for (let attempt = 0; attempt < 5; attempt++) {
            const bound = 50 * 2 ** attempt
            const waits = clients.map((client) => (client.waits[attempt] ?? assert.fail("it did not wait")) - 20)
            assert.isTrue(
              waits.every((millis) => millis >= 0 && millis <= bound),
              `${attempt}: ${waits}`
            )
            assert.isTrue(waits.some((millis) => millis < bound / 2) && waits.some((millis) => millis > bound / 2))
            assert.strictEqual(new Set(waits).size, clients.length)
          }
          for (const { n, store } of clients) store.write(entry(n, { key: `k${n}` }))

          yield* Effect.promise(() => redis.restart())
          yield* Effect.forEach(clients, ({ store }) => written(store))
          const count = yield* calls(redis)
          assert.isAtLeast(count("ping"), clients.length)
          // The script of a write runs again where its answer was late.
          assert.isAtLeast(count("getrange"), clients.length)
          assert.strictEqual(count("get") + count("zrevrangebyscore"), 0, "no reader came")
          for (const { store } of clients) assert.strictEqual(store.stats().dropped, 0)
        })
    )

    it.live("D8, D2: while it is out of service one PING at a time probes it, and no caller reaches it", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const store = yield* open(redis.url)
        yield* until(
          "up",
          Effect.map(store.probe, ({ status }) => status === "up")
        )
        yield* cli(redis, "CONFIG", "RESETSTAT")
        yield* Effect.promise(() => redis.suspend())
        // Three are sent and wait for their deadline, then it is out of service. The rest is not sent.
        for (let read = 0; read < 100; read++) {
          const { reason } = yield* Effect.flip(store.last("never.written", "k"))
          assert.strictEqual(reason._tag, "Unavailable")
        }
        yield* Effect.promise(() => redis.resume())
        yield* until(
          "up again",
          Effect.map(store.probe, ({ status }) => status === "up")
        )
        const count = yield* calls(redis)
        assert.strictEqual(count("get"), 3)
      })
    )
  },
  ["redisNode"]
)
