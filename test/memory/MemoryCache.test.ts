/** The cache in memory against the conformance suite, and what only it promises: its clock and its bounds. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import type { CacheEntry } from "../../src/bus/port/CacheStore.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { cacheStoreCases } from "../../src/ports/index.ts"
import { conforms } from "../support/conformance.ts"

conforms("MemoryCache", MemoryCache.layer, cacheStoreCases())

const entry = (event: string, settings: CacheEntry["settings"] = {}, bytes = 10): CacheEntry => ({
  event,
  key: "",
  id: "id-1",
  time: 1,
  body: Buffer.alloc(bytes),
  settings
})

it.effect("forgets by the test clock", () =>
  Effect.gen(function* () {
    const store = yield* MemoryCache.make()
    store.write(entry("a.b", { timeToLiveMillis: 60_000 }))
    yield* TestClock.adjust("59 seconds")
    assert.isTrue(Option.isSome(yield* store.last("a.b", "")))
    yield* TestClock.adjust("1 second")
    assert.isTrue(Option.isNone(yield* store.last("a.b", "")))
  })
)

it.effect("P13: above its bound of keys it forgets the keys that were not written for longest", () =>
  Effect.gen(function* () {
    const store = yield* MemoryCache.make({ maxKeys: 3 })
    const settings = { history: 0 }
    for (const event of ["a", "b", "c"]) store.write(entry(event, settings))
    store.write({ ...entry("a", settings), time: 2 })
    store.write(entry("d", settings))
    const known = yield* Effect.filter(["a", "b", "c", "d"], (event) =>
      Effect.map(store.last(event, ""), Option.isSome)
    )
    assert.deepStrictEqual(known, ["a", "c", "d"])
  })
)

it.effect("P13: above its bound of bytes too, histories included", () =>
  Effect.gen(function* () {
    const store = yield* MemoryCache.make({ maxBytes: 1_000 })
    for (let i = 0; i < 100; i++) store.write({ ...entry(`e${i}`, { history: 3 }, 100), time: i })
    const known = yield* Effect.filter(
      Array.from({ length: 100 }, (_, i) => `e${i}`),
      (event) => Effect.map(store.last(event, ""), Option.isSome)
    )
    assert.deepStrictEqual(known, ["e95", "e96", "e97", "e98", "e99"])
    // A body above the bound leaves nothing behind.
    store.write(entry("big", {}, 2_000))
    assert.isTrue(Option.isNone(yield* store.last("big", "")))
  })
)
