/**
 * Events without ordering that may end their process. RabbitMQ counts how often a process died that held an event, and not
 * how often the event had started there. So from the fifth return on an event is held only while its handler runs: it starts
 * when it arrives, as a trial, or it leaves by a copy that comes back later. So each return that follows is a start of its
 * own that did not end, and what never started is never dead-lettered. The copy keeps that count: what ends each process
 * that starts it must not begin anew whenever it cannot start.
 *
 * A handler may end the process in its first turn. So what came back twice starts when everything that arrived with it is
 * known, and a trial starts when the other suspects of the process had time to leave.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Decision from "../delivery/Decision.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import * as Returns from "../delivery/Returns.ts"
import type { Work } from "../delivery/Work.ts"
import type { PendingDecisions } from "./PendingDecisions.ts"
import type { RunnerState } from "./RunnerState.ts"
import type { Trials } from "./Trials.ts"

export interface StartOrLeaveParts {
  readonly policy: FailurePolicy
  readonly trials: Trials
  /** Detached, so that no drain waits for it. */
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

export class StartOrLeave {
  private readonly state: RunnerState
  private readonly decisions: PendingDecisions
  private readonly parts: StartOrLeaveParts

  constructor(state: RunnerState, decisions: PendingDecisions, parts: StartOrLeaveParts) {
    this.state = state
    this.decisions = decisions
    this.parts = parts
  }

  /** Whether it may end the process, and has a queue to come back to. */
  takes({ delivery, origin }: Work): boolean {
    const { keyed, subscriber } = this.state
    return !keyed && !origin.parked && !subscriber.ephemeral && Returns.countOf(delivery) >= Returns.suspiciousCount
  }

  place(work: Work): void {
    if (!isLate(work)) return this.decisions.start(work, Effect.as(Effect.yieldNow, Decision.runAgain))
    const { fork, trials } = this.parts
    const trial = this.isHeldBack() ? undefined : trials.beginNow(work, fork)
    if (trial === undefined) return this.leave(work)
    const start = Effect.flatMap(trials.quiet, () =>
      this.isHeldBack() || !trials.isCurrent(trial) ? this.setAside(work) : Decision.runAgainNow
    )
    this.decisions.start(
      work,
      Effect.onExit(start, (exit) =>
        Effect.sync(() => {
          if (exit._tag === "Failure" || exit.value._tag !== "RunAgain" || work.delivery.lost()) trials.end(trial)
        })
      )
    )
  }

  /** It was refused. Returns whether it leaves for that. */
  refused(work: Work): boolean {
    if (!this.takes(work) || !isLate(work)) return false
    this.leave(work)
    return true
  }

  private leave(work: Work): void {
    this.decisions.start(work, this.setAside(work))
  }

  private setAside(work: Work): Effect.Effect<Decision.Decision> {
    return this.parts.trials.leave(this.parts.policy.setAside(work))
  }

  /** Whether no handler may start. Where all of them are busy, it is the next one: it must not leave for ever. */
  private isHeldBack(): boolean {
    return !this.state.capacity.hasRoom(0)
  }
}

/** Whether it is held only while its handler runs. */
const isLate = ({ delivery }: Work): boolean => Returns.countOf(delivery) >= Returns.lateCount
