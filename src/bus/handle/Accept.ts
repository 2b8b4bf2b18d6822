/**
 * The first look at a delivery: whether it can be read, whether it may be attempted at all, and where it waits
 * for its turn.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ParsedEvent } from "../../event/CloudEvent.ts"
import type { Envelope } from "../../event/Envelope.ts"
import { Later } from "../../event/standard/Later.ts"
import * as Returns from "../delivery/Returns.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import { isUnknown } from "../delivery/Unreadable.ts"
import { envelopeOf, type Origin, read, Work } from "../delivery/Work.ts"
import type { Delivery } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import type { CrashGuard } from "./CrashGuard.ts"
import { LaterReads, type Read } from "../delivery/LaterReads.ts"
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
  private readonly laterReads: LaterReads

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
    this.laterReads = new LaterReads({
      keyed: state.keyed,
      deadlineMillis: state.subscriber.deadlineMillis,
      fork: state.fork,
      goOn: (read) => this.goOn(read)
    })
  }

  accept(delivery: Delivery, origin: Origin): void {
    const { state } = this
    if (!this.arrived(delivery, origin)) return
    const { decoded, parsed } = read(delivery, state.subscriber.contracts)
    if (Result.isFailure(decoded)) return this.refuse(origin, delivery, Result.getOrUndefined(parsed), decoded.failure)
    this.take(delivery, origin, Result.getOrUndefined(parsed), decoded.success)
  }

  /** The same of a subscriber by key whose contracts may be read later. */
  acceptInTurn(delivery: Delivery, origin: Origin): void {
    const { laterReads, state } = this
    if (!laterReads.isBusy) return this.accept(delivery, origin)
    if (!this.arrived(delivery, origin)) return
    const { decoded, parsed } = read(delivery, state.subscriber.contracts)
    laterReads.behind({ delivery, origin, parsed: Result.getOrUndefined(parsed), decoded })
  }

  /** Whether it is here still: this call may close the consumer of the delivery. */
  private arrived(delivery: Delivery, origin: Origin): boolean {
    const { metrics } = this.state
    if (!delivery.lost()) origin.arrived(delivery)
    if (delivery.lost()) {
      origin.settled(delivery)
      return false
    }
    if (!origin.parked) metrics.delivered(delivery.redelivered)
    if (delivery.droppedHeaders !== undefined) metrics.droppedHeaders.update(delivery.droppedHeaders)
    return true
  }

  private goOn({ decoded, delivery, origin, parsed }: Read): void {
    if (delivery.lost()) origin.settled(delivery)
    else if (Result.isFailure(decoded)) this.refuse(origin, delivery, parsed, decoded.failure)
    else this.take(delivery, origin, parsed, decoded.success)
  }

  private take(delivery: Delivery, origin: Origin, parsed: ParsedEvent | undefined, event: Envelope): void {
    const { state } = this
    if (RememberDelayed.isDelayed(delivery))
      RememberDelayed.remember(this.cache, state.subscriber.contracts, delivery, event)
    if (parsed !== undefined && hasForeignSubject(parsed, event)) state.metrics.foreignSubjects.update(1)
    const work = new Work(delivery, origin, event, state.now())
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
    if (error instanceof Later) return this.laterReads.add({ delivery, origin, parsed }, error)
    if (error._tag === "UnknownEvent" && (ephemeral || retired.has(error.event))) {
      this.policy.skip(delivery, error.event, retired.has(error.event))
      return origin.settled(delivery)
    }
    if (state.keyed && !ephemeral && isUnknown(error)) {
      this.onUnknown()
      if (parsed?.key !== undefined) {
        const work = new Work(delivery, origin, envelopeOf(parsed), state.now(), error)
        state.open.add(work)
        return this.place(work)
      }
    }
    state.fork(
      Effect.onExit(this.policy.settleUnreadable(delivery.original ?? delivery, parsed, error), () =>
        Effect.sync(() => origin.settled(delivery))
      )
    )
  }
}
