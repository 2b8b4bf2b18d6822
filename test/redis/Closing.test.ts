/** Closing a Redis client: it leaves nothing behind, and takes little time. */
import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Redacted, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import type { Commands } from "../../src/redis/connection/Connection.ts"
import * as RedisClient from "../../src/redis/connection/RedisClient.ts"
import { describeLive } from "../support/live.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { awaitHealth, isWritten, Moved, proxyTo, service } from "./ServiceOnRedis.ts"
import { cli, entry, node, open, until } from "./support.ts"

/** Sockets and timers that keep this process busy; pipes belong to redis-cli. */
const held = (): { readonly sockets: number; readonly timers: number } => {
  const kinds = process.getActiveResourcesInfo()
  const count = (part: string): number => kinds.filter((kind) => kind.includes(part)).length
  return { sockets: count("TCP"), timers: count("Timeout") }
}
const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind.includes("TCPSocket")).length

/** Connections to Redis, without that of redis-cli. */
const connected = (redis: RedisNode) =>
  Effect.map(cli(redis, "CLIENT", "LIST"), (list) => list.split("\n").filter((line) => line.includes("-cache")).length)

const warnings: Array<string> = []
const warn = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`)

describeLive(
  "closing the connection to Redis",
  () => {
    let redis: RedisNode
    beforeAll(async () => {
      process.on("warning", warn)
      redis = await startRedis()
    })
    afterAll(async () => {
      process.off("warning", warn)
      await redis.stop()
    })

    const ways = [
      ["frozen", "150 millis", (own: RedisNode) => own.suspend()],
      ["frozen, and commands may take longer than the drain", "1 minute", (own: RedisNode) => own.suspend()],
      ["full for good", "150 millis", (own: RedisNode) => own.cli("CONFIG", "SET", "maxmemory", "1")]
    ] as const
    for (const [title, commandTimeout, cause] of ways) {
      it.live(`S2, P12: ${title}: the service ends, although events are not written`, () =>
        Effect.gen(function* () {
          const own = yield* node()
          const scope = yield* Scope.make()
          const started = yield* service({
            url: "memory://",
            redisUrl: own.url,
            redisTimeout: commandTimeout,
            drainTimeout: "20 seconds"
          }).pipe(Scope.provide(scope))
          yield* awaitHealth(started, "up", isWritten)
          yield* Effect.promise(async () => cause(own))
          for (let n = 0; n < 500; n++) yield* started.bus.publish(Moved, { n, k: "k" })
          const reading = yield* Effect.forkChild(Effect.exit(started.cache.history(Moved)), { startImmediately: true })
          yield* Scope.close(scope, Exit.void)
          reading.interruptUnsafe()
        }).pipe(Effect.scoped, Effect.timeout("2 minutes"))
      )
    }

    it.live("S4, P12: closed while it connects to a server that does not answer, at any moment", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(redis)
        proxy.stall("down")
        const before = sockets()
        yield* Effect.forEach(
          [0, 1, 5, 20, 100, 300],
          (millis) =>
            Effect.scoped(
              Effect.gen(function* () {
                const store = yield* open(`redis://127.0.0.1:${proxy.port}`)
                store.write(entry(1))
                yield* Effect.sleep(millis)
              })
            ),
          { concurrency: "unbounded" }
        )
        proxy.reset()
        yield* until(
          "no socket is left",
          Effect.sync(() => sockets() <= before)
        )
      }).pipe(Effect.scoped, Effect.timeout("2 minutes"))
    )

    it.live("S5: opened and closed 50 times: no connection, no socket, no timer is left", () =>
      Effect.gen(function* () {
        const cycle = Effect.fnUntraced(function* (n: number) {
          const started = yield* service({ url: "memory://", redisUrl: redis.url })
          yield* started.bus.subscribe("watch", { events: [Moved], idempotent: true, handler: () => Effect.void })
          yield* started.bus.publish(Moved, { n, k: `k${n}` })
          yield* awaitHealth(started, "written", isWritten)
        }, Effect.scoped)
        yield* cycle(0)
        yield* until(
          "the first is gone",
          Effect.map(connected(redis), (count) => count === 0)
        )
        let before = held()
        // Counted under the same conditions: `until` has timers too.
        yield* until(
          "a look",
          Effect.sync(() => (before = held()) !== undefined)
        )
        for (let n = 1; n <= 50; n++) yield* cycle(n)
        yield* until(
          `as before: ${JSON.stringify(before)}`,
          Effect.sync(() => held().sockets <= before.sockets && held().timers <= before.timers)
        )
        assert.strictEqual(yield* connected(redis), 0)
        assert.deepStrictEqual(warnings, [])
      })
    )

    it.live("S5: after 50 lost connections there is one socket, and as many listeners as at the start", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(redis)
        const clock = yield* Clock.Clock
        // Waits between attempts pass fifty times faster.
        const hurried: Clock.Clock = Object.create(clock, {
          sleep: {
            value: (duration: Duration.Duration) =>
              clock.sleep(Duration.toMillis(duration) === 5_000 ? duration : Duration.times(duration, 0.02))
          }
        })
        const client = yield* Effect.provideService(
          RedisClient.make({
            url: Redacted.make(`redis://127.0.0.1:${proxy.port}`),
            commandTimeout: "5 seconds"
          }),
          Clock.Clock,
          hurried
        )
        const up = until(
          "up",
          Effect.sync(() => client.status()._tag === "Up")
        )
        const look = Effect.gen(function* () {
          yield* up
          let redis: Commands | undefined
          yield* client.use(async (own) => {
            redis = own
            await own.ping()
          })
          if (redis === undefined) return assert.fail("no client")
          const listeners = redis.eventNames().map((name) => `${String(name)} ${redis?.listenerCount(name)}`)
          return { listeners: listeners.toSorted(), connections: proxy.connections() }
        })
        const before = yield* look
        for (let flap = 0; flap < 50; flap++) {
          const accepted = proxy.accepted()
          proxy.reset()
          yield* until(
            "a new connection",
            Effect.sync(() => proxy.accepted() > accepted)
          )
          yield* up
        }
        assert.deepStrictEqual(yield* look, before)
        assert.deepStrictEqual(warnings, [])
      })
    )
  },
  ["redisNode"]
)
