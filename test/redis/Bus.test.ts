/**
 * What a whole service notices of a Redis that is gone, hangs, is slow, refuses or forgets: its reads
 * and its health, and nothing else (P4). It heals by itself: all of this happens to one process.
 */
import { assert, it, layer } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import { Reject } from "../../src/bus/BusError.ts"
import { makeLedger } from "../suites/Workbench.ts"
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
  Stage,
  Sunk
} from "./Stage.ts"
import { cli, node, until } from "./support.ts"

type Scene = Stage["Service"]
const step = (run: (scene: Scene) => Promise<unknown>) => run

interface Accident {
  readonly title: string
  readonly cause: (scene: Scene) => Promise<unknown>
  readonly mend: (scene: Scene) => Promise<unknown>
  /** Why health says that the cache is degraded. */
  readonly why: RegExp
  /** How a read fails; absent where reads go on. */
  readonly reads?: string
  /** Whether Redis comes back empty. */
  readonly forgets?: boolean
}

const accident = (title: string, rest: Omit<Accident, "title">): Accident => ({ title, ...rest })

const accidents: ReadonlyArray<Accident> = [
  accident("D1, P4: killed", {
    cause: step(({ redis }) => redis.kill()),
    mend: step(({ redis }) => redis.restart()),
    why: /ECONNREFUSED|ECONNRESET|was lost/,
    reads: "Unavailable",
    forgets: true
  }),
  accident("D1, P4: not reachable", {
    cause: step(async ({ proxy }) => {
      await proxy.refuse(true)
      proxy.reset()
    }),
    mend: step(({ proxy }) => proxy.refuse(false)),
    why: /ECONNREFUSED|ECONNRESET|was lost/,
    reads: "Unavailable"
  }),
  accident("D2, P4: frozen", {
    cause: step(({ redis }) => redis.suspend()),
    mend: step(({ redis }) => redis.resume()),
    why: /did not answer within 150 ms|silent/,
    reads: "Unavailable"
  }),
  accident("D2, D4, P4: its answers do not arrive, and then the connection breaks", {
    cause: step(async ({ proxy }) => proxy.stall("down")),
    mend: step(async ({ proxy }) => {
      proxy.reset()
      proxy.resume()
    }),
    why: /did not answer within 150 ms|silent/,
    reads: "Unavailable"
  }),
  accident("D2, D4, P4: half-open: nobody tells that the connection is dead", {
    cause: step(async ({ proxy }) => proxy.swallow()),
    mend: step(async ({ proxy }) => proxy.resume()),
    why: /did not answer within 150 ms|silent|ETIMEDOUT/,
    reads: "Unavailable"
  }),
  accident("D9, P4: slow, not down", {
    cause: step(async ({ proxy }) => proxy.throttle(100)),
    mend: step(async ({ proxy }) => proxy.resume()),
    why: /is slow|did not answer within 150 ms|silent/,
    reads: "Unavailable"
  }),
  accident("D3, P4: READONLY: it became a replica", {
    cause: step(({ redis }) => redis.cli("REPLICAOF", "127.0.0.1", "1")),
    mend: step(({ redis }) => redis.cli("REPLICAOF", "NO", "ONE")),
    why: /\(READONLY\).*use the address of the master/
  }),
  accident("D3, P4: OOM: its memory is full", {
    cause: step(({ redis }) => redis.cli("CONFIG", "SET", "maxmemory", "1")),
    mend: step(({ redis }) => redis.cli("CONFIG", "SET", "maxmemory", "0")),
    why: /\(OOM\).*raise maxmemory/
  }),
  accident("D3, P4: NOPERM: its user may do nothing any more", {
    cause: step(({ redis }) => redis.cli("ACL", "SETUSER", "svc", "-@all", "+ping")),
    mend: step(({ redis }) => redis.cli("ACL", "SETUSER", "svc", "+@all")),
    why: /\(NOPERM\).*grant its user/,
    reads: "NOPERM"
  }),
  accident("D3, P4: WRONGPASS: the password was changed", {
    cause: step(async ({ proxy, redis }) => {
      await redis.cli("ACL", "SETUSER", "svc", "resetpass", ">another")
      proxy.reset()
    }),
    mend: step(({ redis }) => redis.cli("ACL", "SETUSER", "svc", ">pw")),
    why: /\(WRONGPASS\).*check user name and password/,
    reads: "WRONGPASS"
  }),
  accident("D3, P4: LOADING: it reads its data from disk", {
    cause: step(async ({ redis }) => {
      // It answers after each key that it has read, and reads one in 20 ms until it is mended.
      await redis.cli("CONFIG", "SET", "rdbcompression", "no")
      await redis.cli("CONFIG", "SET", "loading-process-events-interval-bytes", "1024")
      await redis.cli("CONFIG", "SET", "key-load-delay", "20000")
      await redis.cli("DEBUG", "POPULATE", "2000", "ballast", "1200")
      void redis.cli("DEBUG", "RELOAD").catch(() => {})
    }),
    mend: step(({ redis }) => redis.cli("CONFIG", "SET", "key-load-delay", "0")),
    why: /LOADING: it is loading its data/,
    reads: "Unavailable"
  }),
  accident("D3, P4: BUSY: a script blocks it", {
    cause: step(async ({ redis }) => {
      await redis.cli("CONFIG", "SET", "busy-reply-threshold", "20")
      void redis.cli("EVAL", "while true do end", "0").catch(() => {})
    }),
    mend: step(({ redis }) => redis.cli("SCRIPT", "KILL")),
    why: /BUSY: a script blocks it/,
    reads: "Unavailable"
  })
]

describeLive(
  "a service and its Redis",
  () => {
    layer(Stage.layer, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
      for (const [index, { cause, forgets = false, mend, reads, title, why }] of accidents.entries()) {
        it.effect(`${title}: it publishes and handles as ever, says why it is degraded, and heals`, () =>
          Effect.gen(function* () {
            const scene = yield* Stage
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
            // What fails here must not make the next ones fail.
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
            // Its own last one, whatever Redis says; of others Redis says it, or why not.
            const own = Option.getOrThrow(yield* cache.last(Moved, k))
            assert.deepStrictEqual(own.data, { n: 24, k })
            const last = yield* Effect.result(cache.last(Moved, "nobody"))
            const history = yield* Effect.result(cache.history(Moved, { key: k }))
            for (const failure of [Result.getFailure(last), Result.getFailure(history)])
              assert.strictEqual(Option.getOrUndefined(Option.map(failure, codeOf)), reads)
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
            // Everything once and in order, whatever was sent again.
            assert.deepStrictEqual(yield* idsOf(other, k), ids(k, forgets ? 5 : 0, 30))
            assert.include((yield* look(scene)).cache.detail, "0 were dropped")
            yield* handled(ledgers, k, 30)
          })
        )
      }

      it.effect(
        "D5, N17: flushed in the middle: at worst a missing last value, and a duplicate that comes is handled",
        () =>
          Effect.gen(function* () {
            const scene = yield* Stage
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
            assert.deepStrictEqual(times(), [2, 1], "who is idempotent does not handle it again")
            // What waits to be written would be there again after the flush.
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

      it.effect("D2, N17: who would rather wait than handle twice waits while Redis hangs, and handles then", () =>
        Effect.gen(function* () {
          const { bus, redis } = yield* Stage
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

      it.effect(
        "N28: what is delayed did not happen yet, what reached nobody did, and what is replayed is not news",
        () =>
          Effect.gen(function* () {
            const { bus, cache, letters } = yield* Stage
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

    it.live(
      "D1, D2, P4: Redis is not there at the start, or hangs: the service starts, publishes, and finds it later",
      () =>
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
        // Longer than this test: whoever waits for one command fails it.
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
      }).pipe(Effect.scoped, Effect.timeout("30 seconds"))
    )
  },
  ["rabbit", "redisNode"]
)
