/**
 * The time for a drain: the whole, its parts, and a way to keep to them where nothing can be interrupted.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

/** The parts of a drain, in milliseconds: its length is bounded. */
export interface DrainBudget {
  readonly sources: number
  readonly handlers: number
  readonly settlement: number
  readonly close: number
}

/** Sources stop, handlers end, what failed is settled, channels close: 1, 18, 4 and 2 seconds of 25. */
export const split = (totalMillis: number): DrainBudget => ({
  sources: totalMillis * 0.04,
  handlers: totalMillis * 0.72,
  settlement: totalMillis * 0.16,
  close: totalMillis * 0.08
})

/**
 * Returns whether the effect ended in time. A finalizer cannot be interrupted, and an effect that is made
 * interruptible within one ends at once when its fiber was interrupted: so the work and its clock run in fibers of
 * their own. Late work is left running.
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
