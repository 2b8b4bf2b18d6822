/**
 * How a keyed subscriber finds an event that kills its process. Its one active consumer keeps its prefetch
 * window, because giving the window back would cost each event in it a life and could break the order by key.
 * Instead, when the first delivery of a new consumer has come back unsettled before, handlers run one at a time,
 * in the order of delivery, until a few deliveries in a row had not come back. So the killer is the first
 * delivery of the next consumer, and only that one is judged by its count. For that, each acknowledgement is on its
 * way before the next handler starts: it may end the process at once, and the event that was handled before it must not
 * come back in its place.
 *
 * A suspect may only be slow, or hang until its deadline. So after a second the next one starts beside it.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
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
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private isWaiting = false
  /** Whether all that was acknowledged is on its way to the broker. */
  private sent: "unknown" | "waiting" | "yes" = "unknown"
  private readonly onSent = (): void => {
    this.sent = "yes"
    this.state.pump()
    // Something may have started, ended, and wait for the next.
    if (this.sent === "yes") this.sent = "unknown"
  }

  /** What it forks is detached, so that no drain waits for it. */
  constructor(
    state: RunnerState,
    decisions: PendingDecisions,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  ) {
    this.state = state
    this.decisions = decisions
    this.fork = fork
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
    if ((state.busy() > 0 && !this.mayShare()) || !this.isFlushed()) return undefined
    for (const work of state.open) {
      if (state.running.has(work) || decisions.has(work)) {
        if (!work.origin.parked && Returns.countOf(work.delivery) >= aloneFromCount) return undefined
        continue
      }
      if (this.isEarly(work)) return undefined
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

  /** The suspects of other subscribers that arrived with it have time to leave: it may end the process in its first turn. */
  private isEarly(work: Work): boolean {
    if (work.origin.parked || Returns.countOf(work.delivery) < Returns.lateCount) return false
    const wait = work.receivedAt + Returns.quietMillis - this.state.now()
    if (wait > 0) this.pumpAfter(wait)
    return wait > 0
  }

  /** Whether all that runs was alone for long enough. What may be judged by its place in the window stays alone. */
  private mayShare(): boolean {
    const { running } = this.state
    const now = this.state.now()
    let wait = 0
    for (const work of running) {
      if (work.zombie) continue
      if (Returns.countOf(work.delivery) >= Returns.lateCount) return false
      wait = Math.max(wait, work.startedAt + Returns.aloneMillis - now)
    }
    if (wait > 0) this.pumpAfter(wait)
    return wait <= 0
  }

  private pumpAfter(millis: number): void {
    if (this.isWaiting) return
    this.isWaiting = true
    const pump = Effect.sync(() => {
      this.isWaiting = false
      this.state.pump()
    })
    this.fork(Effect.delay(pump, millis))
  }

  /** Whether all that was acknowledged is on its way. If not, handlers start when it is. */
  private isFlushed(): boolean {
    if (this.sent === "unknown") this.sent = this.consumer?.flush(this.onSent) === false ? "waiting" : "yes"
    if (this.sent === "waiting") return false
    this.sent = "unknown"
    return true
  }
}
