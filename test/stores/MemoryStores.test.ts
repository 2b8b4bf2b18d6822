/** Effect's stores in memory against the cases of all stores, and that expired values are forgotten: memory is bounded (P13). */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import { TestClock } from "effect/testing"
import * as MemoryPersistence from "../../src/memory/MemoryPersistence.ts"
import * as MemoryStores from "../../src/memory/MemoryStores.ts"
import { effectStoreCases } from "./EffectStoreCases.ts"

effectStoreCases(
  "MemoryStores",
  Layer.merge(MemoryStores.layer, Layer.provide(PersistedQueue.layer, PersistedQueue.layerStoreMemory))
)

it.effect("P13: expired values are removed without a read, and the number of values is bounded", () =>
  Effect.gen(function* () {
    const { make } = yield* MemoryPersistence.make
    const store = yield* make("s")
    for (let n = 0; n < 1_000; n++) yield* store.set(`short ${n}`, { n }, Duration.seconds(1))
    yield* TestClock.adjust("2 seconds")
    for (let n = 0; n < 99_900; n++) yield* store.set(`long ${n}`, { n }, undefined)
    // Had the short ones stayed, the first long ones would be the oldest beyond the bound.
    assert.deepStrictEqual(yield* store.get("long 0"), { n: 0 })
    for (let n = 0; n < 200; n++) yield* store.set(`more ${n}`, { n }, undefined)
    assert.isUndefined(yield* store.get("long 0"))
    assert.deepStrictEqual(yield* store.get("long 100"), { n: 100 })
  })
)
