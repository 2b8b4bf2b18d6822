/** The drain of a bus: it runs once, in bounded time, and the subscribers of one scope share it. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Layer, Scope } from "effect"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { fresh, numbered, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "./Stage.ts"

const make = start(processOver(Layer.merge(MemoryBroker.layer(), MemoryCache.layer)))

describe("the drain of a bus", () => {
  it.effect("P12: runs once, however often it is asked for", () =>
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

  it.effect("P12: does not spend the time of a hanging settlement twice", () =>
    Effect.gen(function* () {
      const server = yield* MemoryServer.make
      const ports = Layer.merge(MemoryBroker.layerOf(server), MemoryCache.layer)
      const { bus, subscribe } = yield* start(processOver(ports, { drainTimeout: "10 seconds" }))
      const Happened = numbered()
      const fail = yield* Deferred.make<void>()
      yield* subscribe(fresh(), {
        events: [Happened],
        handler: ({ data: { n } }) =>
          n === 0 ? Effect.never : Effect.andThen(Deferred.await(fail), Effect.fail("a copy that is never confirmed"))
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
})
