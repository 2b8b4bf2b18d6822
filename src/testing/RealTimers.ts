/**
 * Node's own timers. A test may replace the global ones (`vi.useFakeTimers()`, `jest.useFakeTimers()`), and nothing would run any more:
 * these are taken when the test kit is loaded, and the bus of a test runs on them.
 */
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"

const { clearImmediate, setImmediate, setTimeout } = globalThis

/** Dispatches fibers as Effect's own does. */
export const scheduler: Scheduler.Scheduler = new Scheduler.MixedScheduler("async", (task) => {
  const immediate = setImmediate(task)
  return () => clearImmediate(immediate)
})

/** One turn of the event loop. */
export const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Real time, whatever Effect's clock says. */
export const pause = (millis: number) =>
  Effect.callback<void>((resume) => {
    setTimeout(() => resume(Effect.void), millis)
  })
