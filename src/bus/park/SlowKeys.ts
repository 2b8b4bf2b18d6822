/**
 * Parks keys whose events are too slow for the window. It happens between two of their events: parked events come first, so
 * what is behind a running one could overtake it after a crash.
 */
import * as Effect from "effect/Effect"
import * as Decision from "../delivery/Decision.ts"
import * as Returns from "../delivery/Returns.ts"
import type { Work } from "../delivery/Work.ts"
import { isTooLong } from "../handle/SlowLane.ts"
import type { ParkedMoves } from "./ParkedMoves.ts"
import type { ParkingState } from "./ParkingState.ts"

/** When a slow key could not be parked, none is tried again for this long. */
const stayMillis = 60_000

export class SlowKeys {
  private readonly state: ParkingState
  private readonly moves: ParkedMoves
  /** Keys with more events in the window than it should hold, and how long the handler of the last one took, in seconds. */
  private readonly slow = new Map<string, number>()
  /** Until then they stay, since there was no room for one, or no queue. */
  private stayUntil = 0

  constructor(state: ParkingState, moves: ParkedMoves) {
    this.state = state
    this.moves = moves
  }

  /** A handler has ended, and its event still holds its lane. */
  took({ event: { key } }: Work, seconds: number): void {
    if (key === undefined) return
    const { host, keys } = this.state
    const parked = keys.get(key)
    if (parked !== undefined) parked.secondsEach = seconds
    else if (isTooLong(host.mailbox.behind(key), seconds) && host.monotonic() >= this.stayUntil)
      this.slow.set(key, seconds)
  }

  /** Parks the key of this event if it is too slow: the event is the first of it, and runs when its copy is back. */
  leave(work: Work): Effect.Effect<Decision.Decision> | undefined {
    const { host, keys } = this.state
    const { key = "" } = work.event
    const seconds = this.slow.size === 0 ? undefined : this.slow.get(key)
    if (seconds === undefined) return undefined
    this.slow.delete(key)
    if (this.moves.isEnding() || !isTooLong(1 + host.mailbox.behind(key), seconds)) return undefined
    // It was not attempted, so its copy must keep the count of its returns.
    work.progress = { ...work.progress, returns: Returns.countOf(work.delivery) }
    return Effect.map(this.moves.parkKey(work, key, undefined), (decision) => {
      const parked = keys.get(key)
      if (parked !== undefined) parked.secondsEach = seconds
      if (decision !== undefined) return decision
      this.stayUntil = host.monotonic() + stayMillis
      return Decision.runAgain
    })
  }

  clear(): void {
    this.slow.clear()
  }
}
