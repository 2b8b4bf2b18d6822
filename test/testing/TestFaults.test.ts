/** Faults for users: at one moment, and by chance with a seed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { Event, EventBus, EventCache, Subscriber } from "../../src/index.ts"
import { type FaultOptions, TestBus } from "../../src/testing/index.ts"

const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

const scene = (handled: Array<number>, faults?: FaultOptions) =>
  Subscriber.layer("social.feed", {
    events: [Posted],
    handler: ({ data }) => Effect.sync(() => void handled.push(data.n))
  }).pipe(Layer.provideMerge(TestBus.layerWith(faults === undefined ? {} : { faults })))

const rates = {
  confirmLost: 0.05,
  confirmDelayed: 0.1,
  disconnected: 0.01,
  redelivered: 0.1,
  consumerCancelled: 0.01,
  storeUnavailable: 0.2
}

const publishMany = Effect.gen(function* () {
  const bus = yield* EventBus
  const { settle } = yield* TestBus
  const fiber = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: 200 }, (_, n) => n),
      (n) => Effect.ignore(bus.publish(Posted, { n })),
      { concurrency: 20 }
    ),
    { startImmediately: true }
  )
  yield* settle
  yield* Fiber.join(fiber)
  yield* settle
  return yield* (yield* TestBus).faults.injected
})

describe("TestBus.faults", () => {
  it.effect("P3: with faults by chance every event is handled, some twice", () =>
    Effect.gen(function* () {
      const handled: Array<number> = []
      const injected = yield* Effect.provide(publishMany, scene(handled, { ...rates, seed: 11, limit: 40 }))
      assert.isAbove(injected.length, 20)
      assert.strictEqual(new Set(handled).size, 200)
      assert.isAbove(handled.length, 200, "an acknowledgement was lost, so an event came twice")
    })
  )

  it.effect("the same seed gives the same faults, until they are calmed", () =>
    Effect.gen(function* () {
      const run = (seed: number) =>
        Effect.gen(function* () {
          const bus = yield* EventBus
          const { faults, settle } = yield* TestBus
          for (let n = 0; n < 40; n++) {
            yield* bus.publish(Posted, { n }, { id: `e-${n}` })
            yield* settle
          }
          const injected = yield* faults.injected
          yield* faults.calm
          for (let n = 0; n < 40; n++) yield* bus.publish(Posted, { n })
          yield* settle
          assert.deepStrictEqual(yield* faults.injected, injected)
          return injected
        }).pipe(Effect.provide(scene([], { seed, redelivered: 0.2, consumerCancelled: 0.1 })))
      const first = yield* run(3)
      assert.isAbove(first.length, 4)
      assert.deepStrictEqual(yield* run(3), first)
      assert.notDeepEqual(yield* run(4), first)
    })
  )

  it.effect("P2, P11: blocked and disconnected: publishes wait, and are confirmed when it is over", () => {
    const handled: Array<number> = []
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const { faults, settle } = yield* TestBus
      for (const [begin, end] of [
        [faults.block, faults.unblock],
        [faults.disconnect("not-stored"), faults.reconnect]
      ] as const) {
        yield* begin
        const waiting = yield* Effect.forkChild(bus.publish(Posted, { n: handled.length }), { startImmediately: true })
        yield* Effect.yieldNow
        assert.isUndefined(waiting.pollUnsafe())
        yield* end
        yield* settle
        assert.isTrue((yield* Fiber.join(waiting)).routed)
      }
      yield* faults.cancelConsumers("social.feed")
      yield* bus.publish(Posted, { n: 2 })
      yield* settle
      assert.deepStrictEqual(handled, [0, 1, 2])
    }).pipe(Effect.provide(scene(handled)))
  })

  it.effect("P4: a cache that does not answer fails no publish", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const cache = yield* EventCache
      const { faults, settle } = yield* TestBus
      yield* faults.failStores
      yield* bus.publish(Posted, { n: 1 })
      yield* settle
      assert.strictEqual((yield* Effect.flip(cache.last(Posted))).reason._tag, "Unavailable")
      yield* faults.restoreStores
      yield* bus.publish(Posted, { n: 2 })
      assert.deepStrictEqual(
        (yield* cache.history(Posted)).map(({ data }) => data.n),
        [2]
      )
    }).pipe(Effect.provide(scene([])))
  )
})
