/**
 * What follows from the end of a handler: an acknowledgement, a return to the broker, a wait until the event may
 * be attempted, or a decision of the failure policy.
 */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type { Admission, Refusal, SubscriberRefusal } from "../admit/Admission.ts"
import * as FailedAttempt from "../delivery/FailedAttempt.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import type { Work } from "../delivery/Work.ts"
import * as HandlerError from "../subscriber/HandlerError.ts"
import type { PendingDecisions } from "./PendingDecisions.ts"
import type { RunnerState } from "./RunnerState.ts"
import type { StartOrLeave } from "./StartOrLeave.ts"

export interface ConcludeParts {
  readonly policy: FailurePolicy
  readonly admission: Admission | undefined
  /** Called when no event can be attempted for a while. */
  readonly onRefused: (refusal: SubscriberRefusal) => void
  /** Called when an event was attempted. */
  readonly onAdmitted: () => void
}

interface OwnParts extends ConcludeParts {
  readonly startOrLeave: StartOrLeave
}

export class Conclude {
  private readonly state: RunnerState
  private readonly decisions: PendingDecisions
  private readonly parts: OwnParts
  private readonly handled: { readonly update: (count: number) => void }
  private readonly timedOut: FailedAttempt.FailedAttempt

  constructor(state: RunnerState, decisions: PendingDecisions, parts: OwnParts) {
    this.state = state
    this.decisions = decisions
    this.parts = parts
    this.handled = state.metrics.outcome("handled")
    this.timedOut = {
      _tag: "Failed",
      error: new HandlerError.HandlerTimeout({ deadline: Duration.millis(state.subscriber.deadlineMillis) })
    }
  }

  /** Settles a delivery by the exit of its attempt. */
  attempt(work: Work, exit: Exit.Exit<unknown, unknown>): void {
    const { state } = this
    const { admission, onAdmitted } = this.parts
    if (work.delivery.lost()) return state.release(work)
    if ((Exit.isSuccess(exit) || work.handledByBatch) && !work.timedOut) {
      if (admission !== undefined) onAdmitted()
      state.counters.handled++
      this.handled.update(1)
      work.delivery.ack()
      if (state.log.debugEnabled) state.log.debug("handled", state.logFields(work))
      return state.release(work)
    }
    if (work.givenBack) {
      const undo = state.parking?.suspects.undo(work)
      if (undo !== undefined) return this.decisions.start(work, undo)
      state.countReturn()
      return state.release(work)
    }
    if (work.hasExpired) return this.decisions.start(work, this.parts.policy.deadLetterExpired(work))
    const refusal = admission?.refusal(exit)
    if (refusal !== undefined) return this.refused(work, refusal)
    this.failed(work, work.timedOut ? this.timedOut : FailedAttempt.of(exit))
  }

  /** Settles a delivery whose handler still runs, long after its deadline. */
  overdue(work: Work): void {
    this.failed(work, this.timedOut)
  }

  private failed(work: Work, failure: FailedAttempt.FailedAttempt): void {
    this.decisions.start(work, this.parts.policy.settleFailed(work, failure, this.state.behind(work)))
  }

  /** Nothing was attempted. */
  private refused(work: Work, refusal: Refusal): void {
    const { decisions, state } = this
    const { onRefused, policy, startOrLeave } = this.parts
    switch (refusal._tag) {
      case "Duplicate": {
        state.acknowledgeDuplicate(work)
        return state.release(work)
      }
      case "IdReused":
        return decisions.start(work, policy.deadLetterIdReused(work))
      case "Claimed":
        return decisions.start(work, policy.postponeClaimed(work, refusal, state.behind(work)))
      case "BreakerOpen":
      case "RateLimited": {
        const undo = state.parking?.suspects.undo(work)
        if (undo !== undefined) decisions.start(work, undo)
        // It is the first to run once an event may be attempted again.
        else if (!startOrLeave.refused(work)) state.mailbox.again(work, work.event.key)
        return onRefused(refusal)
      }
    }
  }
}
