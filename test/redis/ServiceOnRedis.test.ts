/**
 * A whole service on a Redis that is gone, hangs, is slow, refuses or forgets: only its reads and its health notice (P4).
 * It recovers by itself: all of this happens to one process.
 */
import { assert, it, layer } from "@effect/vitest"
import { Array, Effect, Option } from "effect"
import { Reject } from "../../src/bus/subscriber/HandlerError.ts"
import { makeLedger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { describeLive } from "../support/live.ts"
import {
  awaitHealth,
  codeOf,
  handled,
  ids,
  idsOf,
  isWritten,
  look,
  Moved,
  Paid,
  proxyTo,
  publish,
  service,
  ServiceOnRedis,
  Sunk
} from "./ServiceOnRedis.ts"
import { accidents } from "./RedisAccidents.ts"
import { cli, node, until } from "./support.ts"

describeLive(
  "a service and its Redis",
  () => {
    layer(ServiceOnRedis.layer, { excludeTestServices: true, timeout: "5 minutes" })((it) => {
      for (const [index, { cause, forgets = false, mend, reads, title, why }] of accidents.entries()) {
        it.effect(`${title}: it publishes and handles as before, reports why it is degraded, and recovers`, () =>
          Effect.gen(function* () {
            const scene = yield* ServiceOnRedis
            const { cache, ledgers, other } = scene
            const k = `k${index}`
            yield* publish(scene, k, 0, 5)
            yield* awaitHealth(scene, "all is well", isWritten)

            let broken = true
            const repair = Effect.suspend(() => {
              if (!broken) return Effect.void
              broken = false
              return Effect.promise(() => mend(scene))
            })
            // A failure here must not fail the next tests.
            yield* Effect.addFinalizer(() => repair)
            yield* Effect.promise(() => cause(scene))
            yield* publish(scene, k, 5, 15)
            const during = yield* awaitHealth(
              scene,
              `degraded: ${why.source}`,
              ({ detail, status }) => status === "degraded" && why.test(detail)
            )
            assert.strictEqual(during.overall, "degraded")
            assert.isTrue(yield* scene.health.ready)
            yield* publish(scene, k, 15, 25)
            yield* handled(ledgers, k, 25)
            // Its own last event is known without Redis; reads of others fail with the reason of Redis.
            const own = Option.getOrThrow(yield* cache.last(Moved, k))
            assert.deepStrictEqual(own.data, { n: 24, k })
            const codes = Effect.all([
              Effect.option(Effect.flip(cache.last(Moved, "nobody"))),
              Effect.option(Effect.flip(cache.history(Moved, { key: k })))
            ]).pipe(Effect.map(Array.map((failure) => Option.getOrUndefined(Option.map(failure, codeOf)))))
            // On a busy machine a Redis that answers may do so after the deadline: then it is asked again.
            yield* until(
              `reads: ${reads ?? "go on"}`,
              Effect.map(codes, (found) => found.every((code) => code === reads))
            )
            const still = yield* look(scene)
            assert.strictEqual(still.cache.status, "degraded")
            assert.deepStrictEqual(still.cache.since, during.cache.since)

            yield* repair
            const after = yield* awaitHealth(scene, "all is well again", isWritten)
            assert.isAbove(after.cache.since.getTime(), during.cache.since.getTime())
            yield* publish(scene, k, 25, 30)
            yield* awaitHealth(scene, "everything is written", isWritten)
            assert.deepStrictEqual(Option.getOrThrow(yield* cache.last(Moved, k)).data, { n: 29, k })
            yield* until(
              "another process reads",
              Effect.map(other.probe, ({ status }) => status === "up")
            )
            // Every event once and in order, although batches were sent again.
            assert.deepStrictEqual(yield* idsOf(other, k), ids(k, forgets ? 5 : 0, 30))
            assert.include((yield* look(scene)).cache.detail, "0 were dropped")
            yield* handled(ledgers, k, 30)
          })
        )
      }

      it.effect("D5, N17: flushed: at worst a last value is missing and a duplicate is handled again", () =>
        Effect.gen(function* () {
          const scene = yield* ServiceOnRedis
          const { bus, cache, ledgers, redis } = scene
          const k = "flushed"
          yield* publish(scene, k, 0, 1)
          yield* handled(ledgers, k, 1)
          yield* awaitHealth(scene, "written", isWritten)
          const again = bus.publish(Moved, { n: 0, k }, { id: `${k}-0000` })
          const times = (): ReadonlyArray<number> =>
            ledgers.map(({ entries }) => entries.filter(({ event }) => event.data.k === k).length)
          yield* again
          yield* publish(scene, "marker", 0, 1)
          yield* handled(ledgers, "marker", 1)
          assert.deepStrictEqual(times(), [2, 1], "the idempotent subscriber does not handle it again")
          // A pending write would be there again after the flush.
          yield* awaitHealth(scene, "written again", isWritten)

          yield* cli(redis, "FLUSHALL")
          assert.isTrue(Option.isNone(yield* cache.last(Moved, k)))
          yield* again
          yield* until(
            "the duplicate is handled",
            Effect.sync(() => times()[0] === 3 && times()[1] === 2)
          )
          assert.deepStrictEqual(Option.getOrThrow(yield* cache.last(Moved, k)).data, { n: 0, k })
          assert.strictEqual((yield* look(scene)).cache.status, "up")
        })
      )

      it.effect("D2, N17: with onStoreDown wait a subscriber waits while Redis hangs, and handles afterwards", () =>
        Effect.gen(function* () {
          const { bus, redis } = yield* ServiceOnRedis
          const ledger = makeLedger()
          const subscription = yield* bus.subscribe("pay", {
            events: [Paid],
            idempotent: true,
            onStoreDown: "wait",
            handler: ledger.handler
          })
          yield* Effect.acquireUseRelease(
            Effect.promise(() => redis.suspend()),
            () =>
              Effect.gen(function* () {
                for (let n = 0; n < 3; n++) yield* bus.publish(Paid, { n, k: "p" })
                yield* until(
                  "they are put off",
                  Effect.map(subscription.stats, ({ postponed }) => postponed >= 3)
                )
                assert.isEmpty(ledger.entries)
              }),
            () => Effect.promise(() => redis.resume())
          )
          yield* ledger.reaches(3)
          assert.deepStrictEqual(ledger.sorted(), [0, 1, 2])
          assert.deepStrictEqual(ledger.attempts(), [1, 1, 1])
        })
      )

      it.effect("N28: a delayed event has not happened yet, an unrouted one has, and a replayed one is not new", () =>
        Effect.gen(function* () {
          const { bus, cache, letters } = yield* ServiceOnRedis
          const k = "n28"
          yield* bus.publish(Moved, { n: 1, k })
          const delayed = yield* bus.publish(Moved, { n: 2, k }, { delay: "1 hour" })
          assert.strictEqual(delayed.routed, "later")
          assert.strictEqual(Option.getOrThrow(yield* cache.last(Moved, k)).data.n, 1)
          assert.lengthOf(yield* cache.history(Moved, { key: k }), 1)

          assert.isFalse((yield* bus.publish(Sunk, { n: 1, k })).routed)
          assert.strictEqual(Option.getOrThrow(yield* cache.last(Sunk, k)).data.n, 1)

          const attempts: Array<string> = []
          yield* bus.subscribe("mourn", {
            events: [Sunk],
            handler: ({ id }) =>
              Effect.suspend(() =>
                attempts.push(id) === 1 ? Effect.fail(new Reject({ reason: "not now" })) : Effect.void
              )
          })
          yield* bus.publish(Sunk, { n: 2, k })
          yield* until(
            "it is a dead letter",
            Effect.map(letters.count("mourn"), (count) => count === 1)
          )
          yield* bus.publish(Sunk, { n: 3, k })
          yield* letters.replay("mourn")
          yield* until(
            "it is handled",
            Effect.sync(() => attempts.length === 3)
          )
          const { history, last } = yield* Effect.all({ history: cache.history(Sunk), last: cache.last(Sunk, k) })
          assert.deepStrictEqual(
            history.map(({ data }) => data.n),
            [3, 2, 1]
          )
          assert.strictEqual(Option.getOrThrow(last).data.n, 3)
        })
      )
    })

    it.live("D1, D2, P4: Redis is down or hangs at the start: the service starts, publishes, and finds it later", () =>
      Effect.gen(function* () {
        for (const way of ["gone", "frozen"] as const) {
          const redis = yield* node()
          yield* Effect.promise(() => (way === "gone" ? redis.kill() : redis.suspend()))
          const started = yield* service({ url: "memory://", redisUrl: redis.url })
          yield* started.bus.publish(Moved, { n: 1, k: way })
          assert.strictEqual(codeOf(yield* Effect.flip(started.cache.last(Moved, "nobody"))), "Unavailable")
          assert.strictEqual(Option.getOrThrow(yield* started.cache.last(Moved, way)).data.n, 1)
          assert.strictEqual((yield* look(started)).overall, "degraded")
          yield* Effect.promise(() => (way === "gone" ? redis.restart() : redis.resume()))
          yield* awaitHealth(started, "found", isWritten)
          assert.lengthOf(yield* started.cache.history(Moved), 1)
        }
      })
    )

    it.live("D2, D9, P4: no publish and no delivery waits for Redis, however long a command may take", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const proxy = yield* proxyTo(redis)
        // Longer than this test: a wait for one command fails it.
        const patient = yield* service({
          url: "memory://",
          redisUrl: `redis://127.0.0.1:${proxy.port}`,
          redisTimeout: "1 minute"
        })
        let count = 0
        yield* patient.bus.subscribe("counts", { events: [Moved], handler: () => Effect.sync(() => void count++) })
        yield* awaitHealth(patient, "up", isWritten)
        proxy.stall("down")
        for (let n = 0; n < 2_000; n++) yield* patient.bus.publish(Moved, { n, k: `k${n % 7}` })
        yield* until(
          "all are handled",
          Effect.sync(() => count === 2_000)
        )
        proxy.reset()
      }).pipe(Effect.scoped, Effect.timeout("2 minutes"))
    )
  },
  ["rabbit", "redisNode"]
)
