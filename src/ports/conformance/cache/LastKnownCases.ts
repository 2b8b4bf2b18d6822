/** The last known event of each key: order, bytes, keys that cannot reach each other, and the time to live. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { assert } from "../Assert.ts"
import { contract, entryOf } from "./CacheModel.ts"
import { type CacheCase, cacheCase, entry, fresh, oddKeys } from "./CacheCase.ts"

export const lastKnownCases: ReadonlyArray<CacheCase> = [
  cacheCase("remembers the last event, and nothing before there is one", ({ historyOf, lastOf, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      assert.isUndefined(yield* lastOf(event))
      assert.deepStrictEqual(yield* historyOf(event), [])
      yield* write(entry(event, 1))
      assert.strictEqual(yield* lastOf(event), "body 1")
      yield* write(entry(event, 2))
      assert.strictEqual(yield* lastOf(event), "body 2")
    })
  ),
  cacheCase("returns the bytes that were written", ({ store, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      const body = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256))
      yield* write(entry(event, 1, { body }))
      assert.deepStrictEqual(Option.getOrThrow(yield* store.last(event, "")).body, body)
      assert.deepStrictEqual(
        (yield* store.history(event, { key: undefined, limit: 1 })).map(({ body }) => body),
        [body]
      )
      yield* write(entry(event, 2, { body: Buffer.alloc(0) }))
      assert.strictEqual(Option.getOrThrow(yield* store.last(event, "")).body.length, 0)
    })
  ),
  cacheCase("keeps events and keys apart", ({ lastOf, write }) =>
    Effect.gen(function* () {
      const [a, b] = [fresh(), fresh()]
      yield* write(entry(a, 1, { key: "x" }), entry(a, 2, { key: "y" }), entry(b, 3, { key: "x" }))
      assert.strictEqual(yield* lastOf(a, "x"), "body 1")
      assert.strictEqual(yield* lastOf(a, "y"), "body 2")
      assert.strictEqual(yield* lastOf(b, "x"), "body 3")
      assert.isUndefined(yield* lastOf(a))
    })
  ),
  cacheCase("P15: no key can reach the values of another one", ({ historyOf, lastOf, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      yield* write(...oddKeys.map((key, i) => entry(event, i, { key, settings: { perKey: true } })))
      for (const [i, key] of oddKeys.entries()) {
        assert.strictEqual(yield* lastOf(event, key), `body ${i}`, JSON.stringify(key))
        assert.deepStrictEqual(yield* historyOf(event, key), [`body ${i}`], JSON.stringify(key))
      }
      assert.strictEqual((yield* historyOf(event)).length, oddKeys.length)
    })
  ),
  cacheCase(
    "N28: an older event never overwrites a newer one; at the same time the id with the greater bytes is newer",
    ({ lastOf, write }) =>
      Effect.gen(function* () {
        const event = fresh()
        yield* write(entry(event, 5))
        yield* write(entry(event, 4), entry(event, 3))
        assert.strictEqual(yield* lastOf(event), "body 5")
        yield* write(entry(event, 5, { id: "id-000004x", body: Buffer.from("smaller id") }))
        assert.strictEqual(yield* lastOf(event), "body 5")
        // As UTF-16 units the first would be the greater one; as bytes it is the second.
        yield* write(entry(event, 6, { id: "￿", body: Buffer.from("units") }))
        yield* write(entry(event, 6, { id: "🎓", body: Buffer.from("bytes") }))
        yield* write(entry(event, 6, { id: "￿", body: Buffer.from("again") }))
        assert.strictEqual(yield* lastOf(event), "bytes")
      })
  ),
  cacheCase("lastMany: by key, without unknown keys, each key once", ({ events, store, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      yield* write(
        entryOf(event, { key: "a", time: 1, id: "a" }, {}),
        entryOf(event, { key: "b", time: 2, id: "b" }, {})
      )
      const found = yield* events.lastMany(contract(event), ["b", "never", "a", "b"])
      assert.deepStrictEqual([...found.keys()], ["b", "a"])
      assert.deepStrictEqual(found.get("a")?.data, { key: "a", time: 1 })
      assert.strictEqual((yield* events.lastMany(contract(event), [])).size, 0)
      const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`)
      yield* write(...keys.map((key, i) => entry(event, i, { key })))
      const bodies = yield* store.lastMany(event, keys)
      assert.deepStrictEqual(
        bodies.map((one) => String(one?.body)),
        keys.map((_, i) => `body ${i}`)
      )
    })
  ),
  cacheCase("O2, N28: a time far ahead counts as now, so that it does not freeze the key", ({ lastOf, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* write(entry(event, 1, { time: now + 3_600_000 }))
      assert.strictEqual(yield* lastOf(event), "body 1")
      yield* write(entry(event, 2, { time: now + 4_000 }))
      assert.strictEqual(yield* lastOf(event), "body 2")
    })
  ),
  cacheCase(
    "forgets an event after its time to live, also if an older event arrives meanwhile",
    ({ historyOf, lastOf, write }) =>
      Effect.gen(function* () {
        const event = fresh()
        yield* write(entry(event, 2, { settings: { timeToLiveMillis: 1_000 } }), entry(event, 9, { key: "stays" }))
        assert.strictEqual(yield* lastOf(event), "body 2")
        yield* write(entry(event, 1, { settings: {} }))
        yield* lastOf(event).pipe(Effect.repeat({ until: (last) => last === undefined }), Effect.timeout("10 seconds"))
        assert.strictEqual(yield* lastOf(event, "stays"), "body 9")
        assert.strictEqual((yield* historyOf(event)).length, 3)
        yield* write(entry(event, 1))
        assert.strictEqual(yield* lastOf(event), "body 1")
      })
  ),
  cacheCase("last: false keeps the history only; without both nothing is kept", ({ historyOf, lastOf, write }) =>
    Effect.gen(function* () {
      const [some, none] = [fresh(), fresh()]
      yield* write(
        entry(some, 1, { settings: { last: false } }),
        entry(none, 1, { settings: { last: false, history: 0 } })
      )
      assert.isUndefined(yield* lastOf(some))
      assert.deepStrictEqual(yield* historyOf(some), ["body 1"])
      assert.isUndefined(yield* lastOf(none))
      assert.deepStrictEqual(yield* historyOf(none), [])
    })
  ),
  cacheCase("is up", ({ store }) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* store.probe).status, "up")
    })
  )
]
