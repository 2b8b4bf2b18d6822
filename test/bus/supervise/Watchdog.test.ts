/** A subscriber that stands still is restarted; one that is only slow is left alone. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schedule, SubscriptionRef } from "effect"
import { Broker } from "../../../src/bus/port/Broker.ts"
import * as Watchdog from "../../../src/bus/supervise/Watchdog.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"

describe("watchdog", () => {
  const observe = Effect.fnUntraced(function* (watched: Partial<Watchdog.Watched>, seconds: number) {
    const fiber = yield* Effect.forkChild(
      Watchdog.watch({ running: () => true, stuck: () => false, consumers: () => 1, ...watched })
    )
    yield* Stage.pass(Stage.seconds(seconds), 1_000)
    const exit = fiber.pollUnsafe()
    yield* Fiber.interrupt(fiber)
    return exit !== undefined && Exit.isFailure(exit)
  })

  it.effect("N21, P11: it raises an alarm only when nothing happens for a while although something should", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* observe({}, 600))
      assert.isFalse(yield* observe({ stuck: () => true }, 30))
      assert.isTrue(yield* observe({ stuck: () => true }, 60))
      assert.isTrue(yield* observe({ consumers: () => 0 }, 60))
      assert.isFalse(yield* observe({ consumers: () => undefined }, 600))
      assert.isFalse(yield* observe({ stuck: () => true, consumers: () => 0, running: () => false }, 600))
      let checks = 0
      assert.isFalse(yield* observe({ stuck: () => ++checks % 3 > 0 }, 600), "an alarm although it moved in between")
    })
  )

  it.effect("P11: a consumer that the broker does not know any more is opened again", () =>
    Effect.gen(function* () {
      let consumers = 0
      const broken = Layer.effect(
        Broker,
        Effect.map(Broker, (broker) =>
          Broker.of({
            ...broker,
            // The first consumer gets no deliveries, and the broker does not know it.
            consume: (options) =>
              Effect.suspend(() => broker.consume(++consumers === 1 ? { ...options, onDelivery: () => {} } : options)),
            depth: (name, kind) =>
              Effect.map(broker.depth(name, kind), (depth) => ({
                ...depth,
                consumers: consumers === 1 ? 0 : depth.consumers
              }))
          })
        )
      ).pipe(Layer.provide(MemoryBroker.layer()))
      const { bus, subscribe } = yield* start(processOver(Layer.merge(broken, MemoryCache.layer)))
      const Changed = keyed()
      const ledger = makeLedger()
      const { status } = yield* subscribe(fresh(), { events: [Changed], ordering: "key", handler: ledger.handler })
      yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }), { startImmediately: true })
      yield* Stage.pass(20_000, 1_000)
      assert.lengthOf(ledger.entries, 0)
      yield* Stage.pass(60_000, 1_000)
      assert.isAtLeast((yield* SubscriptionRef.get(status)).restarts, 1)
      assert.deepStrictEqual(ledger.numbers(), [1])
    })
  )

  for (const ordering of ["none", "key"] as const) {
    it.effect(`N21: slow handlers, long retries, pauses and zombies raise no alarm; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { bus } = yield* Stage.make
        const Changed = keyed()
        const subscription = yield* bus.subscribe(fresh(), {
          events: [Changed],
          ordering,
          concurrency: 2,
          deadline: "20 minutes",
          retry: Schedule.spaced("5 minutes").pipe(Schedule.upTo({ times: 1 })),
          handler: ({ data: { n } }) =>
            n === 0
              ? Effect.sleep("15 minutes")
              : n === 1
                ? Effect.fail("again in five minutes")
                : Effect.sleep("1 minute")
        })
        const data = upTo(6).map((n) => ({ n, k: `k${n % 3}` }))
        yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
        yield* Stage.pass(Stage.minutes(3), 1_000)
        yield* subscription.pause
        yield* Stage.pass(Stage.minutes(5), 1_000)
        yield* subscription.resume
        yield* Stage.pass(Stage.minutes(12), 1_000)
        assert.deepInclude(yield* SubscriptionRef.get(subscription.status), { _tag: "Running", restarts: 0 })
      })
    )
  }
})
