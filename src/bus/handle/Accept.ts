/**
 * The first look at a delivery: whether it can be read, whether it may be attempted at all, and where it waits
 * for its turn.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ParsedEvent } from "../../event/CloudEvent.ts"
import type { Envelope } from "../../event/Envelope.ts"
import * as Returns from "../delivery/Returns.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import { isUnknown } from "../delivery/Unreadable.ts"
import { begin, envelopeOf, type Origin, read, type Work } from "../delivery/Work.ts"
import type { Delivery } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import type { CrashGuard } from "./CrashGuard.ts"
import type { PendingDecisions } from "./PendingDecisions.ts"
import * as RememberDelayed from "./RememberDelayed.ts"
import type { RunnerState } from "./RunnerState.ts"
import type { StartOrLeave } from "./StartOrLeave.ts"

/** Whether an event names another key than its contract computes. */
const hasForeignSubject = ({ key: subject }: ParsedEvent, { key }: Envelope): boolean =>
  subject !== undefined && subject !== key

export interface AcceptParts {
  readonly policy: FailurePolicy
  /** Remembers delayed events. */
  readonly cache: CacheStore["Service"]
  /** Called for each event of a keyed subscriber that this process does not know and another one might. */
  readonly onUnknown: () => void
  readonly startOrLeave: StartOrLeave
}

export class Accept {
  private readonly state: RunnerState
  private readonly guard: CrashGuard
  private readonly decisions: PendingDecisions
  private readonly policy: FailurePolicy
  private readonly cache: CacheStore["Service"]
  private readonly onUnknown: () => void
  private readonly startOrLeave: StartOrLeave

  constructor(
    state: RunnerState,
    guard: CrashGuard,
    decisions: PendingDecisions,
    { cache, onUnknown, policy, startOrLeave }: AcceptParts
  ) {
    this.state = state
    this.guard = guard
    this.decisions = decisions
    this.policy = policy
    this.cache = cache
    this.onUnknown = onUnknown
    this.startOrLeave = startOrLeave
  }

  accept(delivery: Delivery, origin: Origin): void {
    const { state } = this
    const { contracts } = state.subscriber
    // This call may close the consumer of the delivery.
    if (!delivery.lost()) origin.arrived(delivery)
    if (delivery.lost()) return origin.settled(delivery)
    if (!origin.parked) state.metrics.delivered(delivery.redelivered)
    if (delivery.droppedHeaders !== undefined) state.metrics.droppedHeaders.update(delivery.droppedHeaders)
    const { decoded, parsed } = read(delivery, contracts)
    if (Result.isFailure(decoded)) return this.refuse(origin, delivery, Result.getOrUndefined(parsed), decoded.failure)
    if (RememberDelayed.isDelayed(delivery)) RememberDelayed.remember(this.cache, contracts, delivery, decoded.success)
    if (Result.isSuccess(parsed) && hasForeignSubject(parsed.success, decoded.success))
      state.metrics.foreignSubjects.update(1)
    const work = begin(delivery, origin, decoded.success, state.now())
    state.open.add(work)
    this.place(work)
  }

  /** Decides on a delivery that must not run, or queues it. */
  private place(work: Work): void {
    const { decisions, policy, state } = this
    const { delivery, origin } = work
    if (origin.parked) {
      // Without a key it has no place among the parked ones, and nothing waits for it.
      if (state.parking?.takes(work) !== true) state.mailbox.offer(work, undefined)
      return state.pump()
    }
    const kills = state.keyed
      ? this.guard.isKiller(work)
      : !state.subscriber.ephemeral && Returns.countOf(delivery) >= Returns.maxCrashes
    const isSuspect = state.parking?.suspects.mustPark(work) === true
    if (kills && !isSuspect) return decisions.start(work, policy.deadLetterCrashLoop(work), false)
    if (state.parking?.takes(work) === true) {
      state.heads.arrived(state.open.size)
      return state.pump()
    }
    if (work.progress.due !== undefined && work.progress.due > state.wall())
      return decisions.start(work, policy.delayUntilDue(work), false)
    if (this.startOrLeave.takes(work)) return this.startOrLeave.place(work)
    const isFirst = isSuspect && state.mailbox.behind(work.event.key) === 0
    state.mailbox.offer(work, work.event.key)
    // Now, and not in its turn: it must not come back again because something keeps it from starting.
    if (isFirst && state.parking !== undefined && state.mailbox.takeOf(work.event.key) === work)
      decisions.start(work, state.parking.suspects.park(work, kills))
    if (state.keyed) state.heads.arrived(state.open.size)
    state.pump(work.receivedAt)
  }

  private refuse(origin: Origin, ...[delivery, parsed, error]: Parameters<FailurePolicy["settleUnreadable"]>): void {
    const { state } = this
    const { ephemeral, retired } = state.subscriber
    if (error._tag === "UnknownEvent" && (ephemeral || retired.has(error.event))) {
      this.policy.skip(delivery, error.event, retired.has(error.event))
      return origin.settled(delivery)
    }
    if (state.keyed && !ephemeral && isUnknown(error)) {
      this.onUnknown()
      if (parsed?.key !== undefined) {
        const work = begin(delivery, origin, envelopeOf(parsed), state.now(), error)
        state.open.add(work)
        return this.place(work)
      }
    }
    state.fork(
      Effect.onExit(this.policy.settleUnreadable(delivery, parsed, error), () =>
        Effect.sync(() => origin.settled(delivery))
      )
    )
  }
}
