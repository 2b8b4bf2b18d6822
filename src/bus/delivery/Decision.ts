/**
 * What is to be done with a delivery that its handler did not handle. The failure policy and parking
 * return a decision; the runner follows it.
 */
import * as Effect from "effect/Effect"

export type Decision =
  /** It is acknowledged, or the broker delivers it again: nothing is left to do. */
  | { readonly _tag: "Settled" }
  /** It runs again in this process, now. */
  | { readonly _tag: "RunAgain" }
  /** It is acknowledged, and its lane stays taken until its copy arrives. */
  | { readonly _tag: "Moved" }
  | Park

/** Its key is to be parked, with this event as the head. */
export interface Park {
  readonly _tag: "Park"
  /** When the head may run, in milliseconds since the epoch. */
  readonly due: number
  /** Whether an attempt ended: if so, earlier starts without an end no longer count against it. */
  readonly attempted: boolean
}

export const settled: Decision = { _tag: "Settled" }
export const runAgain: Decision = { _tag: "RunAgain" }
export const moved: Decision = { _tag: "Moved" }
export const park = (due: number, attempted: boolean): Park => ({ _tag: "Park", due, attempted })

/** For those that decide without any effect: one object for all of them. */
export const settledNow: Effect.Effect<Decision> = Effect.succeed(settled)
export const runAgainNow: Effect.Effect<Decision> = Effect.succeed(runAgain)
