/**
 * What follows a wait of an event in its lane. An event that this process does not know waits there for a process that
 * knows it, where its key cannot be parked.
 */
import * as Effect from "effect/Effect"
import * as Decision from "../delivery/Decision.ts"
import type { Unknown, WakeReason, Work } from "../delivery/Work.ts"
import type { ParkingState } from "./ParkingState.ts"

/** It runs, or is given up since too much waits behind it, or stays unsettled for the process that goes on. */
export const after = (
  ended: "Elapsed" | WakeReason,
  giveUp: () => Effect.Effect<Decision.Decision>
): Effect.Effect<Decision.Decision> => {
  switch (ended) {
    case "Elapsed":
    case "Released":
      return Decision.runAgainNow
    case "LaneFull":
      return giveUp()
    case "Drain":
    case "Lost":
      return Decision.settledNow
  }
}

export const wait = (
  { host, policy }: ParkingState,
  work: Work,
  unknown: Unknown,
  millis: number
): Effect.Effect<Decision.Decision> =>
  Effect.flatMap(host.heads.wait(work, millis, true), (ended) =>
    after(ended, () => policy.deadLetterUnknown(work, unknown))
  )
