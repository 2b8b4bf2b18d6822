/**
 * Measures durations in seconds, finer than a clock's milliseconds: most events take less than one. It uses Node's
 * high-resolution counter while the clock is the real one, and the clock of a test otherwise.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"

const real = Context.get(Context.empty(), Clock.Clock)

/** Returns seconds since an arbitrary moment. */
export const of = (clock: Clock.Clock): (() => number) =>
  clock === real ? () => performance.now() / 1000 : () => clock.currentTimeMillisUnsafe() / 1000
