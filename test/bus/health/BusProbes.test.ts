/** The probes of the bus over its ports. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { BusInternals } from "../../../src/bus/BusInternals.ts"
import * as EventBusMake from "../../../src/bus/EventBusMake.ts"
import { Broker } from "../../../src/bus/port/Broker.ts"
import { CacheStore } from "../../../src/bus/port/CacheStore.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../../src/memory/MemoryServer.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh, numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

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

describe("the probe of a subscriber", () => {
  it.effect("P11: is degraded while its queue does not answer, although it runs", () =>
    Effect.gen(function* () {
      const server = yield* MemoryServer.make
      let isSilent = false
      const ports = Layer.effect(
        Broker,
        Effect.map(Broker, (broker) =>
          Broker.of({
            ...broker,
            depth: (...queue) => Effect.suspend(() => (isSilent ? Effect.never : broker.depth(...queue)))
          })
        )
      ).pipe(Layer.provide(MemoryBroker.layerOf(server)), Layer.merge(MemoryCache.layer))
      const { internals, subscribe } = yield* Stage.runningOut(start(processOver(ports)))
      const name = fresh()
      yield* subscribe(name, { events: [numbered()], handler: () => Effect.void })
      const check = Effect.gen(function* () {
        const probe = (yield* internals.probes).find((one) => one.name === `subscriber ${name}`)
        return yield* probe?.check ?? Effect.die("there is no such probe")
      })
      assert.deepInclude(yield* check, { status: "up" })
      isSilent = true
      yield* Stage.pass(Stage.seconds(22), 1_000)
      const { detail, status } = yield* check
      assert.strictEqual(status, "degraded")
      assert.match(detail, /^Running, 0 restarts, 0 in flight, its queue has not answered for \d+ s/)
    })
  )
})
