/** Persisted values of Effect: requests, caches and keys, each under any name. Run on each store by EffectStoreCases.ts. */
import { assert } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as PersistedCache from "effect/persistence/PersistedCache"
import * as Persistence from "effect/persistence/Persistence"
import { CacheError } from "../../src/bus/port/CacheError.ts"

import { at, fresh, oddKeys, Squared, until } from "./StoreValues.ts"
import type { StoreIt } from "./EffectStoreCases.ts"

/** The error of a user who may not scan the keys. */
const refused = (error: { readonly cause?: unknown }): void => {
  assert.isTrue(error.cause instanceof CacheError && error.cause.reason._tag === "Refused")
  assert.include(String(error.cause), "NOPERM")
}

export const persistenceCases = (it: StoreIt, scans: boolean): void => {
  it.effect("Persistence: values and failures of typed requests, several at once, removed, cleared", () =>
    Effect.gen(function* () {
      const storeId = `${fresh()}:*`
      const store = yield* (yield* Persistence.Persistence).make({ storeId })
      const other = yield* (yield* Persistence.Persistence).make({ storeId: `${storeId}*` })
      const keys = Array.from({ length: 50 }, (_, n) => new Squared({ n }))
      const exits = keys.map(({ n }) => (n % 2 === 0 ? Exit.succeed({ square: n * n, at }) : Exit.fail(`odd ${n}`)))
      assert.isUndefined(yield* store.get(new Squared({ n: 1 })))
      yield* store.setMany(keys.map((key, i) => [key, exits[i] ?? Exit.fail("?")] as const))
      yield* other.set(new Squared({ n: 1 }), Exit.fail("other"))
      assert.deepStrictEqual(yield* store.getMany([...keys, new Squared({ n: 99 })]), [...exits, undefined])
      assert.deepStrictEqual(yield* store.get(new Squared({ n: 3 })), Exit.fail("odd 3"))
      yield* store.remove(new Squared({ n: 3 }))
      assert.isUndefined(yield* store.get(new Squared({ n: 3 })))
      if (!scans) return refused(yield* Effect.flip(store.clear))
      yield* store.clear
      assert.isTrue((yield* store.getMany(keys)).every((exit) => exit === undefined))
      assert.deepStrictEqual(yield* other.get(new Squared({ n: 1 })), Exit.fail("other"))
    })
  )

  it.effect("Persistence: a value is forgotten after its time to live", () =>
    Effect.gen(function* () {
      const timeToLive = (exit: Exit.Exit<unknown, unknown>) => (Exit.isSuccess(exit) ? "60 millis" : "1 hour")
      const store = yield* (yield* Persistence.Persistence).make({ storeId: fresh(), timeToLive })
      yield* store.set(new Squared({ n: 1 }), Exit.succeed({ square: 1, at }))
      yield* store.set(new Squared({ n: 2 }), Exit.fail("stays"))
      yield* until(Effect.map(store.get(new Squared({ n: 1 })), (exit) => exit === undefined))
      assert.deepStrictEqual(yield* store.get(new Squared({ n: 2 })), Exit.fail("stays"))
    })
  )

  it.effect("PersistedCache: one lookup for all processes, and one invalidation", () =>
    Effect.gen(function* () {
      const storeId = fresh()
      let lookups = 0
      const join = PersistedCache.make(
        ({ n }: Squared) =>
          Effect.suspend(() => {
            lookups++
            return n < 0 ? Effect.fail("negative") : Effect.succeed({ square: n * n, at })
          }),
        { storeId, timeToLive: () => "1 hour" }
      )
      const [here, there] = [yield* join, yield* join]
      assert.deepStrictEqual(yield* here.get(new Squared({ n: 7 })), { square: 49, at })
      assert.deepStrictEqual(yield* there.get(new Squared({ n: 7 })), { square: 49, at })
      assert.strictEqual(lookups, 1)
      assert.strictEqual(yield* Effect.flip(here.get(new Squared({ n: -1 }))), "negative")
      assert.strictEqual(yield* Effect.flip(there.get(new Squared({ n: -1 }))), "negative")
      assert.strictEqual(lookups, 2)
      yield* here.invalidate(new Squared({ n: 7 }))
      yield* (yield* join).get(new Squared({ n: 7 }))
      assert.strictEqual(lookups, 3)
    })
  )

  it.effect("KeyValueStore: texts and bytes under any key", () =>
    Effect.gen(function* () {
      const store = KeyValueStore.prefix(yield* KeyValueStore.KeyValueStore, fresh())
      for (const [n, key] of oddKeys.entries()) {
        assert.isUndefined(yield* store.get(key))
        yield* store.set(key, `value ${n} ☃`)
      }
      for (const [n, key] of oddKeys.entries()) {
        assert.strictEqual(yield* store.get(key), `value ${n} ☃`, JSON.stringify(key))
        assert.isTrue(yield* store.has(key))
      }
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
      yield* store.set("bytes", bytes)
      assert.deepStrictEqual(yield* store.getUint8Array("bytes"), bytes)
      assert.strictEqual(yield* store.get("bytes"), Buffer.from(bytes).toString("base64"))
      assert.strictEqual(yield* store.modify("a:b", (value) => `${value}!`), "value 1 ☃!")
      yield* store.remove("a:b")
      assert.isFalse(yield* store.has("a:b"))
      if (!scans) return refused(yield* Effect.flip(store.keys))
      const left = [...oddKeys.filter((key) => key !== "a:b"), "bytes"]
      assert.deepStrictEqual((yield* store.keys).toSorted(), left.toSorted())
      assert.strictEqual(yield* store.size, left.length)
      yield* store.clear
      assert.isTrue(yield* store.isEmpty)
    })
  )
}
