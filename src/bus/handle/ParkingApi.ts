/**
 * The calls that the runner of a keyed subscriber makes to parking, and the calls that parking may make to the
 * runner. The room `park` implements the first, so that handlers run without knowing how a key is parked.
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Decision, Park } from "../delivery/Decision.ts"
import type { WaitingHeads } from "../delivery/WaitingHeads.ts"
import type { Work } from "../delivery/Work.ts"
import type { Mailbox } from "./Mailbox.ts"

export interface ParkingApi {
  /** Whether it has taken a delivery that must not go to its lane now. */
  readonly takes: (work: Work) => boolean
  /** Called when a handler that was slow, or ran a parked delivery, has ended and still holds its lane. */
  readonly took: (work: Work, seconds: number) => void
  /** What must happen before a delivery may run, if anything. */
  readonly before: (work: Work) => Effect.Effect<Decision> | undefined
  readonly suspects: SuspectsApi
  /** Parks a key by its head, or the head once more. */
  readonly park: (work: Work, request: Park) => Effect.Effect<Decision>
  /** Called when a parked delivery is settled, moved or given back. */
  readonly left: (work: Work) => void
  /** Called when the lane is free for nothing but the copy of this head. */
  readonly moved: (work: Work) => void
  /** How many deliveries of the subscriber's own queue wait behind the parked key of this one. */
  readonly followers: (work: Work) => number
  /** Removes the deliveries that wait behind parked keys. */
  readonly drop: (which: (work: Work) => boolean) => ReadonlyArray<Work>
}

/** Events that may end their process. */
export interface SuspectsApi {
  /** Whether a delivery of the subscriber's own queue came back so often that its key is parked at once. */
  readonly mustPark: (work: Work) => boolean
  /** Parks it with its key. Where that cannot be, a killer is dead-lettered. */
  readonly park: (work: Work, isKiller: boolean) => Effect.Effect<Decision>
  /** What must happen when a delivery did not start, or was interrupted to be given back; undefined if nothing. */
  readonly undo: (work: Work) => Effect.Effect<Decision> | undefined
}

/** The part of the runner that parking works with. */
export interface ParkingHost {
  readonly mailbox: Mailbox<Work>
  readonly heads: WaitingHeads
  /** Wall time, which is written on copies. */
  readonly now: () => number
  readonly monotonic: () => number
  readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown, unknown>
  /** Releases a delivery that is settled or lost and holds no lane. */
  readonly release: (work: Work) => void
  /** Acknowledges a second delivery of an event that is parked already. */
  readonly duplicate: (work: Work) => void
  /** Puts a delivery into its lane after all. */
  readonly offer: (work: Work) => void
  readonly pump: () => void
}
