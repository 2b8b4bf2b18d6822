/** Measures durations in seconds, finer than a clock's milliseconds: most events take less than one. */
import type * as Clock from "effect/Clock"
import * as Monotonic from "./Monotonic.ts"

/** Returns seconds since an arbitrary moment. */
export const of = (clock: Clock.Clock): (() => number) => {
  const now = Monotonic.of(clock)
  return () => now() / 1000
}
