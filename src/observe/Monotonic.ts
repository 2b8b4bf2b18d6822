/**
 * Monotonic time: what is measured inside of this process. A step of the wall clock, by hand or by a time service, neither
 * ends a wait nor makes one longer. Wall time, which Effect's Clock gives too, is for what leaves the process: the times of
 * events, due times on the broker, dead letters, values in Redis, the log. The two are never compared.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

const real = Context.get(Context.empty(), Clock.Clock)

/** Milliseconds since an arbitrary moment, with fractions. They follow the clock of a test. */
export type Monotonic = () => number

export const of = (clock: Clock.Clock): Monotonic =>
  // Node's own counter makes no bigint for each reading.
  clock === real ? () => performance.now() : () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** Of the clock of the context. */
export const make = Clock.clockWith((clock) => Effect.succeed(of(clock)))

/** Until when something takes that ends in `millis`, as wall time. Whole, since only whole numbers go over the wire. */
export const wallAfter = (clock: Clock.Clock, millis: number): number =>
  Math.ceil(clock.currentTimeMillisUnsafe() + millis)
