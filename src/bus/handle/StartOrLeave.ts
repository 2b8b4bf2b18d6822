/**
 * Events without ordering that may end their process. RabbitMQ counts how often a process died that held an event, and not
 * how often the event had started there. So from the fifth return on an event is held only while its handler runs: it starts
 * at once, as a trial, or it leaves by a copy that comes back later. So each return that follows is a start of its own that
 * did not end, and what never started is never dead-lettered. The copy keeps that count: what ends each process that
 * starts it must not begin anew whenever it cannot start.
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
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

  takes({ delivery, origin }: Work): boolean {
    const { keyed, subscriber } = this.state
    return !keyed && !origin.parked && !subscriber.ephemeral && Returns.countOf(delivery) >= Returns.thriftyCount
  }

  place(work: Work): void {
    const { fork, trials } = this.parts
    const { state } = this
    const mayStart = state.hasRoom() && state.mailbox.size() === 0
    const trial = mayStart ? trials.beginNow(work, fork) : undefined
    if (trial === undefined) return this.leave(work)
    state.mailbox.offer(work, work.event.key)
    state.pump(work.receivedAt)
    // Its consumer was lost.
    if (!state.running.has(work)) trials.end(trial)
  }

  leave(work: Work): void {
    this.decisions.start(work, this.parts.policy.setAside(work))
  }
}
