/**
 * More is in the parked queue than one process may hold, because other programs wrote there. Only a process that holds
 * all of it knows which event is the first of its key, so what is beyond the most that is parked becomes dead letters.
 */
import * as Effect from "effect/Effect"
import type { Work } from "../delivery/Work.ts"
import type { ParkedKey } from "./ParkedKeys.ts"
import type { ParkingState } from "./ParkingState.ts"

/** Copies without a confirm. */
const atOnce = 256

export class ParkedSurplus {
  /** Dead-letters what is held beyond the most that is parked. */
  readonly deadLetter: Effect.Effect<void>
  private readonly state: ParkingState

  constructor(state: ParkingState) {
    this.state = state
    this.deadLetter = Effect.suspend(() =>
      Effect.forEach(state.keys.surplus(), ([parked, work]) => this.leave(parked, work), {
        concurrency: atOnce,
        discard: true
      })
    )
  }

  private leave(parked: ParkedKey, work: Work): Effect.Effect<void> {
    const { host, keys, policy } = this.state
    return Effect.onExit(Effect.asVoid(policy.deadLetterLaneFull(work)), () =>
      Effect.sync(() => {
        // It may have been given back meanwhile.
        if (work.parkedName === undefined || parked.held.get(work.parkedName) !== work) return
        keys.letGo(parked, work)
        host.release(work)
      })
    )
  }
}
