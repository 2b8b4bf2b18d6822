/**
 * A bus on the embedded broker under the clock of the test: the hops of messages are turns of the real
 * event loop, time passes only when the test says so.
 */
import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { EventBus } from "../../src/bus/EventBus.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import type { Entry } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"

/** Lets everything happen that needs no time. */
export const turns: Effect.Effect<void> = Effect.promise(async () => {
  for (let turn = 0; turn < 25; turn++) await new Promise((resolve) => setImmediate(resolve))
})

/** Lets time pass in steps, with what happens at each of them. */
export const pass = Effect.fnUntraced(function* (millis: number, step = millis) {
  yield* turns
  for (let passed = 0; passed < millis; passed += step) {
    yield* TestClock.adjust(Math.min(step, millis - passed))
    yield* turns
  }
})

/** Waits for what needs no time. */
export const soon = Effect.fnUntraced(function* (what: () => string, condition: () => boolean) {
  for (let round = 0; round < 40; round++) {
    if (condition()) return
    yield* turns
  }
  assert.fail(what())
})

/** The drain of what `begin` gives may take time of the clock, which nobody moves any more at its end. */
export const runningOut = Effect.fnUntraced(function* <A, E, R>(begin: Effect.Effect<A, E, R>) {
  let ended = false
  yield* Effect.addFinalizer(() => Effect.sync(() => void (ended = true)))
  const begun = yield* begin
  const runOut = Effect.whileLoop({ while: () => !ended, body: () => pass(1_000), step: () => {} })
  yield* Effect.addFinalizer(() => Effect.forkDetach(runOut))
  return begun
})

export const make = Effect.gen(function* () {
  const server = yield* MemoryServer.make
  const connect = (options?: EventBus.Options) =>
    processOver(Layer.merge(MemoryBroker.layerOf(server, { namespace: "test" }), MemoryCache.layer), {
      drainTimeout: "25 seconds",
      ...options
    })
  const process = yield* runningOut(start(connect()))
  // Subscribers belong to the process, so that they are drained after that began.
  return { server, connect, ...process, bus: { ...process.bus, subscribe: process.subscribe } }
})

export const seconds = (count: number): number => count * 1_000
export const minutes = (count: number): number => count * 60_000
export const hours = (count: number): number => count * 3_600_000

/** Writes down by the clock of the test. */
export const makeBook = () => {
  const entries: Array<{ readonly n: number; readonly attempt: number; readonly at: number }> = []
  return {
    entries,
    times: () => entries.map(({ at }) => at),
    note: (event: Entry["event"], info: Entry["info"]) =>
      Effect.clockWith((clock) =>
        Effect.sync(
          () => void entries.push({ n: event.data.n, attempt: info.attempt, at: clock.currentTimeMillisUnsafe() })
        )
      )
  }
}
