/** The subscribers of one bus together. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, type Scope } from "effect"
import { getHeapStatistics } from "node:v8"
import { EventBus } from "../../src/bus/EventBus.ts"
import type { SubscribeError } from "../../src/bus/subscriber/SubscribeError.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { fresh, numbered, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"

describe("the subscribers of a bus", () => {
  it.effect("P13, N32: a warning is logged once when they may hold more than a quarter of the heap", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(JSON.stringify(message)))
    const layer = EventBus.layerWith({ source: "suite" }).pipe(
      Layer.provide(Layer.merge(MemoryBroker.layer(), MemoryCache.layer)),
      Layer.provide(Logger.layer([logger]))
    )
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const enough = Math.floor(getHeapStatistics().heap_size_limit / 4 / (250 * 2 ** 20))
      const subscribe = bus.subscribe(fresh(), { events: [numbered()], prefetch: 250, handler: () => Effect.void })
      for (const _ of upTo(enough))
        yield* bus.subscribe(fresh(), { events: [numbered()], prefetch: 250, handler: () => Effect.void })
      assert.deepStrictEqual(lines, [])
      yield* subscribe
      yield* bus.subscribe(fresh(), { events: [numbered()], prefetch: 250, handler: () => Effect.void })
      assert.lengthOf(lines, 1)
      assert.include(lines[0], "quarter of the heap")
    }).pipe(Effect.provide(layer), Effect.scoped)
  })

  const onMemory = EventBus.layerWith({ source: "suite" }).pipe(
    Layer.provide(Layer.merge(MemoryBroker.layer(), MemoryCache.layer))
  )

  it.effect("a name that another handler or other events have is refused until that subscriber has ended", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const [first, other] = [numbered(), numbered()]
      const handler = () => Effect.void
      const subscription = yield* bus.subscribe("directory", { events: [first], handler })
      const refused = [
        bus.subscribe("directory", { events: [first], handler: () => Effect.void }),
        bus.subscribe("directory", { events: [other], handler }),
        bus.subscribe("directory", { events: [first, other], handler })
      ]
      for (const second of refused) {
        const error = yield* Effect.flip(Effect.scoped(second))
        assert.strictEqual(error.subscriber, "directory")
        assert.include(error.message, "`name`: a subscriber of this name runs here with")
        assert.include(error.message, "Give each its own name")
      }
      // The same one again only shares the work.
      yield* Effect.scoped(bus.subscribe("directory", { events: [first], handler, concurrency: 2 }))
      yield* subscription.drain
      yield* Effect.scoped(bus.subscribe("directory", { events: [first], handler: () => Effect.void }))
    }).pipe(Effect.provide(onMemory), Effect.scoped)
  )

  it.effect("an inbox without a database is refused before anything is declared", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      // As a caller without types does it.
      const subscribe = bus.subscribe("inbox.without", {
        events: [numbered()],
        inbox: true,
        handler: () => Effect.void
      }) as Effect.Effect<unknown, SubscribeError, Scope.Scope>
      const error = yield* Effect.flip(subscribe)
      assert.include(error.message, "`inbox`: no SqlClient is among the services of the handler")
      assert.include(error.message, "SqliteFile.layer")
      // The name is free again.
      yield* Effect.scoped(bus.subscribe("inbox.without", { events: [numbered()], handler: () => Effect.void }))
    }).pipe(Effect.provide(onMemory), Effect.scoped)
  )

  it.effect("a name is taken from the moment a subscriber starts, and free when its scope ends", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const events = [numbered()]
      const start = () => Effect.exit(bus.subscribe("twins", { events, handler: () => Effect.void }))
      const exits = yield* Effect.scoped(Effect.all([start(), start()], { concurrency: 2 }))
      assert.sameMembers(
        exits.map(({ _tag }) => _tag),
        ["Success", "Failure"]
      )
      assert.strictEqual((yield* Effect.scoped(start()))._tag, "Success")
    }).pipe(Effect.provide(onMemory))
  )
})
