/**
 * Seconds between two looks, finer than a clock's milliseconds: most events take less than one. By Node's
 * own counter while the clock is the real one, by the clock of a test otherwise.
 */
import { Clock, Context } from "effect"

const real = Context.get(Context.empty(), Clock.Clock)

/** Answers seconds since some moment. */
export const of = (clock: Clock.Clock): (() => number) =>
  clock === real ? () => performance.now() / 1000 : () => clock.currentTimeMillisUnsafe() / 1000
