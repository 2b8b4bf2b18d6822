/**
 * How a keyed subscriber finds an event that kills its process. Its one active consumer keeps its prefetch
 * window, because giving the window back would cost each event in it a life and could break the order by key.
 * Instead, when the first delivery of a new consumer has come back unsettled before, handlers run one at a time,
 * in the order of delivery, until a few deliveries in a row had not come back. So the killer is the first
 * delivery of the next consumer, and only that one is judged by its count. For that, each acknowledgement is on its
 * way before the next handler starts: it may end the process at once, and the event that was handled before it must not
 * come back in its place.
 */
import * as Returns from "../delivery/Returns.ts"
import type { Origin, Work } from "../delivery/Work.ts"
import type { PendingDecisions } from "./PendingDecisions.ts"
import type { RunnerState } from "./RunnerState.ts"

/**
 * From here up nothing runs beside an event that waits for its retry: the first delivery of the next consumer
 * must be the one that ran.
 */
const aloneFromCount = Returns.maxCrashes - 3

export class CrashGuard {
  private readonly state: RunnerState
  private readonly decisions: PendingDecisions
  private consumer: Origin | undefined
  private suspicious = false
  private harmlessInRow = 0
  /** Whether all that was acknowledged is on its way to the broker. */
  private sent: "unknown" | "waiting" | "yes" = "unknown"
  private readonly onSent = (): void => {
    this.sent = "yes"
    this.state.pump()
    // Something may have started, ended, and wait for the next.
    if (this.sent === "yes") this.sent = "unknown"
  }

  constructor(state: RunnerState, decisions: PendingDecisions) {
    this.state = state
    this.decisions = decisions
  }

  /** Whether handlers run one at a time. */
  get isOn(): boolean {
    return this.suspicious
  }

  /** Called with each delivery, in order. Returns whether it is to be dead-lettered instead of running again. */
  isKiller({ delivery, origin }: Work): boolean {
    if (origin === this.consumer) return false
    this.consumer = origin
    this.harmlessInRow = 0
    const count = Returns.countOf(delivery)
    this.suspicious = count >= Returns.suspiciousCount
    return count >= Returns.maxCrashes
  }

  /** The next delivery that may run while the guard is on. */
  next(): Work | undefined {
    const { decisions, state } = this
    if (state.busy() > 0 || !this.isFlushed()) return undefined
    for (const work of state.open) {
      if (state.running.has(work) || decisions.has(work)) {
        if (!work.origin.parked && Returns.countOf(work.delivery) >= aloneFromCount) return undefined
        continue
      }
      const taken = state.mailbox.takeOf(work.event.key)
      if (taken === undefined) continue
      // Parking judges what is parked by its starts.
      if (taken.heldSince !== undefined || taken.origin.parked) return taken
      if (Returns.countOf(taken.delivery) >= Returns.suspiciousCount) this.harmlessInRow = 0
      else if (++this.harmlessInRow >= Returns.harmlessInRow) this.suspicious = false
      return taken
    }
    return undefined
  }

  /** Whether all that was acknowledged is on its way. If not, handlers start when it is. */
  private isFlushed(): boolean {
    if (this.sent === "unknown") this.sent = this.consumer?.flush(this.onSent) === false ? "waiting" : "yes"
    if (this.sent === "waiting") return false
    this.sent = "unknown"
    return true
  }
}
