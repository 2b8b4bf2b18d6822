/**
 * Decisions that are being made or carried out on deliveries that were not handled, each in a fiber of its own:
 * a delivery leaves, runs again, or is parked. Until then its lane stays taken.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Decision from "../delivery/Decision.ts"
import type { Work } from "../delivery/Work.ts"
import type { RunnerState } from "./RunnerState.ts"

export class PendingDecisions {
  private readonly state: RunnerState
  private readonly pending = new Map<Work, Fiber.Fiber<unknown, unknown>>()

  constructor(state: RunnerState) {
    this.state = state
  }

  get size(): number {
    return this.pending.size
  }

  has(work: Work): boolean {
    return this.pending.has(work)
  }

  /** Makes the decision, then follows it. `inLane` is whether the delivery holds its lane. */
  start(work: Work, decision: Effect.Effect<Decision.Decision>, inLane = true): void {
    const fiber = this.state.fork(
      Effect.asVoid(
        Effect.onExitPrimitive(decision, (exit) => {
          this.end(work, exit, inLane)
          return undefined
        })
      )
    )
    if (fiber.pollUnsafe() === undefined && !this.pending.has(work)) this.pending.set(work, fiber)
  }

  /** Interrupts the decisions on these deliveries: a copy that was not sent yet is never sent. */
  interrupt(which: (work: Work) => boolean): void {
    for (const [work, fiber] of this.pending) if (which(work)) fiber.interruptUnsafe()
  }

  private end(work: Work, exit: Exit.Exit<Decision.Decision>, inLane: boolean): void {
    const { state } = this
    work.wake = undefined
    // The delivery stays unacknowledged: the broker brings it again when the channel closes.
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause))
      state.log.error("settling failed", { ...state.logFields(work), detail: Cause.pretty(exit.cause) })
    this.pending.delete(work)
    this.follow(work, Exit.isSuccess(exit) ? exit.value : Decision.settled, inLane)
    state.pump()
  }

  private follow(work: Work, decision: Decision.Decision, inLane: boolean): void {
    const { state } = this
    if (decision._tag === "Moved") return state.releaseToCopy(work)
    if (decision._tag === "Settled" || work.delivery.lost()) return state.release(work, inLane)
    if (decision._tag === "RunAgain") return state.mailbox.again(work, work.event.key)
    if (state.parking === undefined) return state.release(work, inLane)
    this.start(work, state.parking.park(work, decision), inLane)
  }
}
