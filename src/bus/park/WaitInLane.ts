/**
 * The wait of an event that this process does not know, where its key cannot be parked: in its lane, for a process that
 * knows it.
 */
import * as Effect from "effect/Effect"
import * as Decision from "../delivery/Decision.ts"
import type { Unknown, Work } from "../delivery/Work.ts"
import type { ParkingState } from "./ParkingState.ts"

export const wait = (
  { host, policy }: ParkingState,
  work: Work,
  unknown: Unknown,
  millis: number
): Effect.Effect<Decision.Decision> =>
  Effect.flatMap(host.heads.wait(work, millis, true), (ended) => {
    switch (ended) {
      case "Elapsed":
      case "Released":
        return Decision.runAgainNow
      case "LaneFull":
        return policy.deadLetterUnknown(work, unknown)
      case "Drain":
      case "Lost":
        return Decision.settledNow
    }
  })
