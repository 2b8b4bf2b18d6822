/** What a subscriber sees to besides its deliveries: its topology, its start, its share of memory. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Effect, Exit, Layer, Logger, Scope, SubscriptionRef } from "effect"
import { getHeapStatistics } from "node:v8"
import { Broker } from "../../src/bus/Broker.ts"
import { BrokerError, PermissionDenied } from "../../src/bus/BrokerError.ts"
import { EventBus } from "../../src/bus/EventBus.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { fresh, numbered, processOver, start, upTo } from "../suites/Workbench.ts"
import * as Stage from "./Stage.ts"

/** A process over the embedded broker whose declarations a test watches and can fail. */
const make = Effect.gen(function* () {
  const declared: Array<string> = []
  const trouble: { next: Effect.Effect<void, BrokerError> | undefined } = { next: undefined }
  const watched = Layer.effect(
    Broker,
    Effect.map(Broker, (broker) =>
      Broker.of({
        ...broker,
        declare: (spec) =>
          Effect.suspend(() => {
            declared.push(spec.name)
            return trouble.next ?? broker.declare(spec)
          })
      })
    )
  ).pipe(Layer.provide(MemoryBroker.layer()))
  const process = yield* start(processOver(Layer.merge(watched, MemoryCache.layer)))
  return { ...process, declared, trouble }
})

describe("tending", () => {
  it.effect("PUB23, PUB9, P11: what a running subscriber needs is declared again each minute or so", () =>
    Effect.gen(function* () {
      const { declared, subscribe, trouble } = yield* make
      const name = fresh()
      const { status } = yield* subscribe(name, { events: [numbered()], handler: () => Effect.void })
      assert.deepStrictEqual(declared, [name])
      yield* Stage.pass(Stage.minutes(10), 1_000)
      assert.isAtLeast(declared.length, 6)
      assert.isAtMost(declared.length, 21)
      const before = declared.length
      trouble.next = Effect.fail(
        new BrokerError({ reason: new PermissionDenied({ entity: "a queue", username: "u" }) })
      )
      yield* Stage.pass(Stage.minutes(5), 1_000)
      assert.isAbove(declared.length, before, "it gave up")
      assert.deepInclude(yield* SubscriptionRef.get(status), { _tag: "Running", restarts: 0 })
    })
  )

  for (const [what, trouble] of [
    ["a defect", Effect.die(new Error("broken adapter"))],
    ["a refusal", Effect.fail(new BrokerError({ reason: new PermissionDenied({ entity: "a queue", username: "u" }) }))]
  ] as const) {
    it.effect(`P11: a start that meets ${what} fails, and leaves nothing in the scope of its caller`, () =>
      Effect.gen(function* () {
        const stage = yield* make
        const scope = yield* Scope.make()
        stage.trouble.next = trouble
        const exit = yield* stage.bus
          .subscribe(fresh(), { events: [numbered()], handler: () => Effect.void })
          .pipe(Scope.provide(scope), Effect.exit)
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.deepInclude(Cause.squash(exit.cause), { _tag: "SubscribeError" })
        stage.trouble.next = undefined
        const before = stage.declared.length
        yield* Stage.pass(Stage.minutes(10), 10_000)
        assert.strictEqual(stage.declared.length, before, "something of it lives on")
        assert.deepStrictEqual(yield* stage.bus.subscriptions, [])
        yield* Scope.close(scope, Exit.void)
      })
    )
  }

  it.effect("P12: a drain runs once, whoever asks for it", () =>
    Effect.gen(function* () {
      const { bus, subscribe } = yield* make
      const Happened = numbered()
      yield* subscribe(fresh(), { events: [Happened], handler: () => Effect.void })
      assert.deepStrictEqual(yield* Effect.all([bus.drain, bus.drain], { concurrency: "unbounded" }), [true, true])
      assert.isTrue(yield* bus.drain)
      const error = yield* Effect.flip(bus.publish(Happened, { n: 1 }))
      assert.deepInclude(error.reason, { _tag: "Unavailable" })
    })
  )

  it.effect("P12, N14: subscribers of one scope drain together, and nothing new starts in any of them", () =>
    Effect.gen(function* () {
      const { bus } = yield* make
      const Happened = numbered()
      const scope = yield* Scope.make()
      const started: Array<string> = []
      for (const name of ["one", "two", "three"]) {
        yield* bus
          .subscribe(fresh(name), {
            events: [Happened],
            concurrency: 1,
            handler: () =>
              Effect.andThen(
                Effect.sync(() => started.push(name)),
                Effect.sleep("5 seconds")
              )
          })
          .pipe(Scope.provide(scope))
      }
      yield* Effect.forkChild(
        bus.publishAll(
          Happened,
          upTo(20).map((n) => ({ n }))
        ),
        { startImmediately: true }
      )
      yield* Stage.pass(1_000, 100)
      assert.lengthOf(started, 3)
      const begun = yield* Clock.currentTimeMillis
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      while (closing.pollUnsafe() === undefined) yield* Stage.pass(100)
      assert.isAtMost((yield* Clock.currentTimeMillis) - begun, 5_500)
      assert.lengthOf(started, 3, "one started while another drained")
    })
  )

  it.effect("P12: what a hanging settlement took is not given a second time", () =>
    Effect.gen(function* () {
      const server = yield* MemoryServer.make
      const ports = Layer.merge(MemoryBroker.layerOf(server), MemoryCache.layer)
      const { bus, subscribe } = yield* start(processOver(ports, { drain: "10 seconds" }))
      const Happened = numbered()
      const fail = yield* Deferred.make<void>()
      yield* subscribe(fresh(), {
        events: [Happened],
        handler: ({ data: { n } }) =>
          n === 0 ? Effect.never : Effect.andThen(Deferred.await(fail), Effect.fail("a copy that nobody confirms"))
      })
      yield* Effect.forkChild(
        bus.publishAll(
          Happened,
          upTo(2).map((n) => ({ n }))
        ),
        { startImmediately: true }
      )
      yield* Stage.pass(500, 100)
      server.block("for ever")
      yield* Deferred.succeed(fail, undefined)
      const begun = yield* Clock.currentTimeMillis
      const draining = yield* Effect.forkChild(bus.drain, { startImmediately: true })
      while (draining.pollUnsafe() === undefined) yield* Stage.pass(50)
      assert.isAtMost((yield* Clock.currentTimeMillis) - begun, 10_000)
    })
  )

  it.effect("P13, N32: subscribers that may hold more than a quarter of the heap are warned of, once", () => {
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
})
