/** The Redis cache against the conformance suite: through its buffer, and when everything is written. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Layer, Option, Redacted, Schema } from "effect"
import { CacheStore } from "../../../src/bus/port/CacheStore.ts"
import * as CacheReader from "../../../src/bus/read/CacheReader.ts"
import * as RedisCache from "../../../src/redis/cache/RedisCache.ts"
import { cacheStoreCases } from "../../../src/ports/index.ts"
import { conforms } from "../../support/conformance.ts"
import { describeLive, freshNamespace, redisUrl } from "../../support/live.ts"
import { agrees, entryOf, Question, Write } from "../../../src/ports/conformance/cache/CacheModel.ts"
import { text } from "../support.ts"

describeLive(
  "on Redis",
  () => {
    const options = { url: Redacted.make(redisUrl()), commandTimeout: "10 seconds" } as const
    conforms("RedisCache, own writes", RedisCache.layer({ ...options, prefix: freshNamespace() }), cacheStoreCases())

    const stores = new Set<RedisCache.RedisCacheStore>()
    conforms(
      "RedisCache, written",
      Layer.effect(
        CacheStore,
        Effect.map(RedisCache.make({ ...options, prefix: freshNamespace() }), (store) => {
          stores.add(store)
          return store
        })
      ),
      cacheStoreCases({ settle: () => Effect.forEach(stores, written, { discard: true }) })
    )

    it.live("many writes are few commands, and write returns before any", () =>
      Effect.gen(function* () {
        const store = yield* RedisCache.make({ ...options, prefix: freshNamespace() })
        const event = "academic.grade.posted"
        for (let i = 0; i < 20_000; i++) {
          store.write({ event, key: `k${i % 100}`, id: `id-${i}`, time: i, body: Buffer.from(String(i)), settings: {} })
          if (i % 5_000 === 4_999) yield* written(store)
        }
        const stats = store.stats()
        assert.deepInclude(stats, { dropped: 0, failures: 0, buffered: 0 })
        assert.strictEqual(stats.written + stats.superseded, 20_000)
        // 100 keys and one history for each batch.
        assert.isBelow(stats.commands, 20_000 / 10)
        assert.strictEqual(stats.superseded + stats.coalesced + stats.commands - stats.commands / 101, 20_000)
        for (const key of [0, 42, 99]) {
          const last = yield* store.last(event, `k${key}`)
          assert.strictEqual(text(last), String(19_900 + key))
        }
      })
    )

    it.live("O2, N28: a process whose clock runs an hour ahead freezes no key", () =>
      Effect.gen(function* () {
        const prefix = freshNamespace()
        const clock = yield* Clock.Clock
        const ahead: Clock.Clock = Object.create(clock, {
          currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() + 3_600_000 }
        })
        const fast = yield* Effect.provideService(RedisCache.make({ ...options, prefix }), Clock.Clock, ahead)
        const right = yield* RedisCache.make({ ...options, prefix })
        const entry = (time: number) => ({
          event: "a.b",
          key: "k",
          id: "id",
          time,
          body: Buffer.from(String(time)),
          settings: {}
        })
        const now = clock.currentTimeMillisUnsafe()
        fast.write(entry(now + 3_600_000))
        yield* written(fast)
        assert.strictEqual(text(yield* right.last("a.b", "k")), String(now + 3_600_000))
        right.write(entry(now + 2_000))
        yield* written(right)
        assert.strictEqual(text(yield* fast.last("a.b", "k")), String(now + 2_000))
      })
    )

    it.live.prop(
      "N28: three processes write the same events in any order at once: all agree with the model",
      {
        writes: Schema.Array(
          Schema.Struct({ ...Write.fields, writers: Schema.Array(Schema.Literals([0, 1, 2])), pause: Schema.Boolean })
        ).check(Schema.isMinLength(15), Schema.isMaxLength(60)),
        cap: Schema.Literals([2, 5, 100]),
        questions: Schema.Array(Question).check(Schema.isMaxLength(3))
      },
      ({ cap, questions, writes }) =>
        Effect.gen(function* () {
          const prefix = freshNamespace()
          const make = RedisCache.make({ ...options, prefix })
          const stores = yield* Effect.all([make, make, make, make], { concurrency: "unbounded" })
          const shared = writes.filter(({ writers }) => writers.length > 0)
          yield* Effect.forEach(
            stores.slice(0, 3),
            Effect.fnUntraced(function* (store, writer) {
              // Each process has an order of its own.
              const own = shared.filter(({ writers }) => writers.some((one) => one === writer))
              const turned =
                writer === 0 ? own : writer === 1 ? own.toReversed() : own.toSorted((a, b) => b.time - a.time)
              for (const { pause, ...write } of turned) {
                store.write(entryOf("a.b", write, { history: cap, perKey: true }))
                if (pause) yield* Effect.yieldNow
              }
              yield* written(store)
            }),
            { concurrency: "unbounded" }
          )
          for (const store of stores) yield* agrees(CacheReader.make(store), "a.b", shared, cap, questions)
        }).pipe(Effect.scoped),
      { arbitrary: { runs: 25 } }
    )

    it.live("two processes: each sees what the other wrote, and the newest wins", () =>
      Effect.gen(function* () {
        const prefix = freshNamespace()
        const [a, b, elsewhere] = yield* Effect.all([
          RedisCache.make({ ...options, prefix }),
          RedisCache.make({ ...options, prefix }),
          RedisCache.make({ ...options, prefix: freshNamespace() })
        ])
        const entry = (id: string, time: number) => ({
          event: "a.b",
          key: "k",
          id,
          time,
          body: Buffer.from(id),
          settings: {}
        })
        for (let i = 0; i < 300; i++) {
          a.write(entry(`a${i}`, 2 * i))
          b.write(entry(`b${i}`, 2 * i + 1))
          if (i % 7 === 0) yield* Effect.yieldNow
        }
        yield* Effect.andThen(written(a), written(b))
        for (const store of [a, b]) {
          assert.strictEqual(text(yield* store.last("a.b", "k")), "b299")
          const history = (yield* store.history("a.b", { key: undefined, limit: 1_000 })).map(({ id }) => id)
          assert.strictEqual(history.length, 100)
          for (const writer of ["a", "b"]) {
            const own = history.filter((id) => id.startsWith(writer)).map((id) => Number(id.slice(1)))
            assert.deepStrictEqual(
              own,
              own.toSorted((x, y) => y - x)
            )
          }
        }
        assert.isTrue(Option.isNone(yield* elsewhere.last("a.b", "k")))
      })
    )
  },
  ["redis"]
)

const written = (store: RedisCache.RedisCacheStore): Effect.Effect<void> =>
  Effect.sleep(1).pipe(Effect.repeat({ until: () => store.stats().buffered === 0 }), Effect.asVoid)
