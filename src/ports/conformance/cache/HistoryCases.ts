/** Histories: newest first, of one key or of all, within their caps, page by page. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { CacheEntry } from "../../../bus/port/CacheStore.ts"
import { assert } from "../Assert.ts"
import { base, contract, entryOf } from "./CacheModel.ts"
import { type CacheCase, cacheCase, entry, fresh } from "./CacheCase.ts"

export const historyCases: ReadonlyArray<CacheCase> = [
  cacheCase("history: a late event takes its place and pushes out no newer one", ({ historyOf, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      const settings = { history: 3 }
      yield* write(...[5, 6, 7].map((number) => entry(event, number, { settings })))
      yield* write(entry(event, 1, { settings }), entry(event, 6, { settings }), entry(event, 2, { settings }))
      assert.deepStrictEqual(yield* historyOf(event), ["body 7", "body 6", "body 5"])
    })
  ),
  cacheCase("history: between two exclusive times; an invalid time is refused", ({ events, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      const times = [0, 1, 1, 2, 3, 4] as const
      yield* write(...times.map((time, i) => entryOf(event, { key: "a", time, id: i === 2 ? "b" : "a" }, {})))
      const between = (before: number, after: number) =>
        Effect.map(
          events.history(contract(event), { before: new Date(base + before), after: new Date(base + after) }),
          (found) => found.map(({ data, id }) => `${data.time}${id}`)
        )
      assert.deepStrictEqual(yield* between(3, 0), ["2a/a", "1a/b", "1a/a"])
      assert.deepStrictEqual(yield* between(1, 1), [])
      for (const invalid of [between(Number.NaN, 0), between(9, Number.NaN)])
        assert.strictEqual((yield* Effect.flip(invalid)).reason._tag, "Option")
    })
  ),
  cacheCase("history as a stream: page by page, unaffected by concurrent writes", ({ events, store, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      const name = contract(event)
      const settings = { history: 1_000 }
      // Ten of each time: pages end within them.
      const number = (n: number): CacheEntry => ({
        ...entryOf(event, { key: "a", time: 0, id: "a" }, settings),
        id: `id-${String(n).padStart(6, "0")}`,
        time: base + Math.floor(n / 10)
      })
      yield* write(...Array.from({ length: 250 }, (_, n) => number(n)))
      let pages = 0
      const seen = yield* store.history(event, { key: undefined, limit: 1_000 })
      const collected = yield* events.historyStream(name, { pageSize: 7 }).pipe(
        Stream.chunks,
        Stream.tap(() =>
          Effect.andThen(
            Effect.sync(() => pages++),
            write(number(1_000 + pages))
          )
        ),
        Stream.runFold(
          () => 0,
          (sum, chunk) => sum + chunk.length
        )
      )
      assert.strictEqual(seen.length, 250)
      assert.strictEqual(collected, 250)
      assert.isAtLeast(pages, 250 / 7)
    })
  ),
  cacheCase("history: newest first, up to the cap and the limit", ({ historyOf, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      const settings = { history: 5 }
      yield* write(...Array.from({ length: 8 }, (_, i) => entry(event, i, { settings })))
      assert.deepStrictEqual(yield* historyOf(event), ["body 7", "body 6", "body 5", "body 4", "body 3"])
      yield* write(entry(event, 8, { settings }))
      assert.deepStrictEqual(yield* historyOf(event, undefined, 2), ["body 8", "body 7"])
      assert.deepStrictEqual(yield* historyOf(event, undefined, 0), [])
      assert.deepStrictEqual(yield* historyOf(event, undefined, Number.NaN), [])
      // A lower cap holds from the next event on.
      yield* write(entry(event, 9, { settings: { history: 2 } }))
      assert.deepStrictEqual(yield* historyOf(event), ["body 9", "body 8"])
    })
  ),
  cacheCase("history: 100 events by default, none with 0", ({ historyOf, lastOf, write }) =>
    Effect.gen(function* () {
      const [many, none] = [fresh(), fresh()]
      yield* write(...Array.from({ length: 1_200 }, (_, i) => entry(many, i)))
      const bodies = yield* historyOf(many)
      assert.deepStrictEqual([bodies.length, bodies[0], bodies[99]], [100, "body 1199", "body 1100"])
      yield* write(entry(none, 1, { settings: { history: 0 } }))
      assert.deepStrictEqual(yield* historyOf(none), [])
      assert.strictEqual(yield* lastOf(none), "body 1")
    })
  ),
  cacheCase("history of a key if the contract asks for it, each key with its own cap", ({ historyOf, write }) =>
    Effect.gen(function* () {
      const event = fresh()
      const settings = { history: 3, perKey: true }
      const keys = ["a", "b", "a", "a", "a", "b"]
      yield* write(...keys.map((key, i) => entry(event, i, { key, settings })))
      assert.deepStrictEqual(yield* historyOf(event, "a"), ["body 4", "body 3", "body 2"])
      assert.deepStrictEqual(yield* historyOf(event, "b"), ["body 5", "body 1"])
      assert.deepStrictEqual(yield* historyOf(event), ["body 5", "body 4", "body 3"])
      const plain = fresh()
      yield* write(entry(plain, 1, { key: "a" }))
      assert.deepStrictEqual(yield* historyOf(plain, "a"), [])
    })
  )
]
