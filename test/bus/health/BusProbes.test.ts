/** The probes of the bus over its ports. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { BusInternals } from "../../../src/bus/BusInternals.ts"
import * as EventBusMake from "../../../src/bus/EventBusMake.ts"
import { CacheStore } from "../../../src/bus/port/CacheStore.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"

describe("the write-behind probe", () => {
  it.effect("is degraded for a minute after events were dropped, however often it is asked", () =>
    Effect.gen(function* () {
      const stats = { buffered: 0, dropped: 0 }
      const cache = Layer.effect(
        CacheStore,
        Effect.map(MemoryCache.make(), (store) => CacheStore.of({ ...store, stats: () => stats }))
      )
      const bus = yield* Layer.build(
        EventBusMake.layerWith({ source: "probed" }).pipe(
          Layer.provide(Layer.merge(MemoryBroker.layer({ namespace: "probed" }), cache))
        )
      )
      const status = Effect.gen(function* () {
        const probes = yield* Context.get(bus, BusInternals).probes
        const probe = probes.find(({ name }) => name === "write-behind")
        return (yield* probe?.check ?? Effect.die("there is no such probe")).status
      })
      assert.strictEqual(yield* status, "up")
      stats.dropped = 3
      assert.strictEqual(yield* status, "degraded")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* status, "degraded")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* status, "up")
    })
  )
})
