/**
 * Time for a drain: a whole, its parts, and a way to keep to them where nothing can be interrupted.
 */
import { Effect, Exit, Fiber, Option } from "effect"

/** The parts of the budget of a drain, in milliseconds (P12). */
export interface DrainBudget {
  readonly sources: number
  readonly handlers: number
  readonly settlement: number
  readonly close: number
}

/** Sources stop, handlers end, what failed is settled, channels close: 1, 18, 4 and 2 of 25 seconds. */
export const split = (totalMillis: number): DrainBudget => ({
  sources: totalMillis * 0.04,
  handlers: totalMillis * 0.72,
  settlement: totalMillis * 0.16,
  close: totalMillis * 0.08
})

/**
 * Whether it ended in time. A finalizer cannot be interrupted, and what is made interruptible within one
 * ends at once when its fiber was: so the work and its clock run in fibers of their own. What is late is
 * left alone.
 */
export const within = (millis: number, effect: Effect.Effect<unknown>): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const work = yield* Effect.forkDetach(Effect.interruptible(effect), { startImmediately: true })
    const watch = yield* Effect.forkDetach(Effect.interruptible(Effect.timeoutOption(Fiber.await(work), millis)), {
      startImmediately: true
    })
    const exit = yield* Fiber.await(watch)
    return Exit.isSuccess(exit) && Option.isSome(exit.value)
  }).pipe(Effect.uninterruptible)
