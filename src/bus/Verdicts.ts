/**
 * The settlement table: what becomes of a delivery that was not handled. Attempts, delays and bounds
 * are decided here; how a copy is stored is Settlement's business, and when a handler runs Runner's.
 */
import { Clock, Duration, Effect } from "effect"
import type * as Event from "../event/Event.ts"
import type * as Log from "../observe/Log.ts"
import type * as Metrics from "../observe/Meters.ts"
import * as Trace from "../observe/Trace.ts"
import type { Delivery } from "./Broker.ts"
import * as Caution from "./Caution.ts"
import type { AttemptFailure, Later } from "./BusError.ts"
import * as InPlace from "./InPlace.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type { Failures } from "./Failures.ts"
import * as Quoting from "./Quoting.ts"
import * as Retry from "./Retry.ts"
import { type Counters, type Decision, type Policy, subjectOf, type Work } from "./Work.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import type { Settlement, Subject } from "./Settlement.ts"
import * as SubscriberSettings from "./SubscriberSettings.ts"
import * as Undecodable from "./Undecodable.ts"

/** From here up a retry waits on the broker, where it survives any restart. */
const onBrokerMillis = 1000
const postponedAtMostMillis = 24 * 60 * 60 * 1000

export const make = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(parts: {
  readonly subscriber: SubscriberSettings.Settled<E, Err, R>
  readonly settlement: Settlement
  readonly counters: Counters
  readonly metrics: Metrics.SubscriberMetrics
  readonly log: Log.Log
  readonly failures: Failures
}) {
  const { counters, failures, log, metrics, settlement, subscriber } = parts
  const clock = yield* Clock.Clock
  const keyed = subscriber.ordering === "key"
  const parks = subscriber.onBlocked === "park"
  const window = subscriber.prefetch / 2
  const outcomes = { deadLettered: metrics.outcome("dead-lettered"), retried: metrics.outcome("retried") }
  let waiting = 0

  const deadLetter = (
    delivery: Delivery,
    subject: Subject,
    reason: Diagnosis.DeadLetterReason,
    failure: Diagnosis.Failure,
    attempts: number
  ): Effect.Effect<Decision> => {
    const now = clock.currentTimeMillisUnsafe()
    const { progress } = subject
    const diagnosis: Diagnosis.Diagnosis = {
      subscriber: subscriber.name,
      reason,
      error: failure,
      attempts,
      firstFailure: progress.firstFailure ?? now,
      lastFailure: now,
      failures: progress.failures,
      eventId: subject.id,
      eventType: subject.type,
      host: Diagnosis.host,
      library: Diagnosis.library,
      replays: progress.replays,
      replayId: progress.replayId,
      firstSpan: progress.firstSpan
    }
    // Read before the delivery is settled.
    const span = subject.span ?? Trace.extract(delivery.headers)
    const told = (stored: boolean): Decision => {
      if (!stored) return "settled"
      counters.deadLettered++
      outcomes.deadLettered.update(1)
      metrics.deadLettered(reason).update(1)
      log.error(subscriber.ephemeral ? "dropped" : "dead-lettered", {
        subscriber: subscriber.name,
        event: subject.type,
        id: subject.id,
        reason,
        attempts,
        error: failure.tag,
        detail: failure.message,
        span
      })
      failures.deadLettered(diagnosis, subscriber.announce && !subscriber.ephemeral)
      return "settled"
    }
    if (!subscriber.ephemeral) return Effect.map(settlement.deadLetter(delivery, subject, diagnosis), told)
    // A tail has no dead-letter queue: what it cannot handle is told and dropped.
    delivery.ack()
    return Effect.succeed(told(true))
  }

  /** Of a failure as it may be told. */
  const giveUp = (work: Work, reason: Diagnosis.DeadLetterReason, failure: Diagnosis.Failure, attempts: number) =>
    deadLetter(work.delivery, subjectOf(subscriber.name, work, work.progress), reason, failure, attempts)

  const waitInPlace = (work: Work, millis: number) =>
    Effect.suspend(() => {
      waiting++
      return Effect.ensuring(
        InPlace.wait(work, millis),
        Effect.sync(() => {
          waiting--
        })
      )
    })

  const delayOnBroker = (work: Work, progress: RuntimeHeaders.Progress, millis: number): Effect.Effect<Decision> =>
    Effect.as(settlement.delay(work.delivery, subjectOf(subscriber.name, work, progress), millis), "settled" as const)

  /** Runs it again after `millis`: in place, or by way of the broker. */
  const delayed = Effect.fnUntraced(function* (
    work: Work,
    millis: number,
    behind: number,
    failure: () => Diagnosis.Failure,
    attempts: number
  ) {
    const now = clock.currentTimeMillisUnsafe()
    if (parks && work.event.key !== undefined && work.origin.parked) {
      if (millis >= onBrokerMillis) return { _tag: "Park" as const, due: now + millis }
    } else if (keyed || subscriber.ephemeral) {
      const full = keyed && behind > window
      if (full || now + millis - work.receivedAt > SubscriberSettings.maxInPlaceMillis) {
        return yield* tooLong(work, now + millis, full ? "LaneFull" : "LaneTooSlow", failure, attempts)
      }
    } else if (millis >= onBrokerMillis || waiting >= window) {
      return yield* delayOnBroker(work, work.progress, Math.max(millis, onBrokerMillis))
    }
    const ended = yield* waitInPlace(work, millis)
    switch (ended) {
      case "elapsed":
      case "Released":
        return "again" as const
      case "LaneFull":
        return yield* tooLong(work, now + millis, "LaneFull", failure, attempts)
      case "Drain":
        // What a keyed lane waits for goes back with its channel, in order.
        return keyed || subscriber.ephemeral
          ? ("settled" as const)
          : yield* delayOnBroker(work, work.progress, now + millis - clock.currentTimeMillisUnsafe())
      case "Lost":
        return "settled" as const
    }
  })

  /** A lane cannot wait like this: its head is parked with all that follow, or given up. */
  const tooLong = (
    work: Work,
    due: number,
    reason: "LaneFull" | "LaneTooSlow",
    failure: () => Diagnosis.Failure,
    attempts: number
  ): Effect.Effect<Decision> => {
    if (!parks) return giveUp(work, reason, failure(), attempts)
    // Without a key it holds nobody's order.
    return work.event.key === undefined
      ? delayOnBroker(work, work.progress, due - clock.currentTimeMillisUnsafe())
      : Effect.succeed({ _tag: "Park", due })
  }

  const postponed = (work: Work): RuntimeHeaders.Progress => ({
    ...work.progress,
    returns: 0,
    postponed: work.progress.postponed + 1,
    postponedSince: work.progress.postponedSince ?? clock.currentTimeMillisUnsafe()
  })

  const putOff = (work: Work, later: Later, behind: number): Effect.Effect<Decision> => {
    const now = clock.currentTimeMillisUnsafe()
    const attempts = work.progress.attempt
    const next = postponed(work)
    const since = next.postponedSince ?? now
    const { whole } = Quoting.describe(subscriber, work, later)
    if (next.postponed > subscriber.maxPostponed || now - since >= postponedAtMostMillis) {
      return giveUp(work, "PostponedTooOften", whole(), attempts - 1)
    }
    work.progress = next
    counters.postponed++
    metrics.outcome("postponed").update(1)
    if (log.debugEnabled)
      log.debug("postponed", { subscriber: subscriber.name, event: work.event.type, id: work.event.id })
    return delayed(work, Duration.toMillis(later.in), behind, whole, attempts - 1)
  }

  /** Writes a failed attempt down and answers what may be told of it. */
  const note = (work: Work, error: unknown, now: number) => {
    const told = Quoting.describe(subscriber, work, Quoting.unwrap(error))
    const { message, tag } = told.brief
    work.progress = {
      ...work.progress,
      firstFailure: work.progress.firstFailure ?? now,
      failures: RuntimeHeaders.addFailure(work.progress, { at: now, attempt: work.progress.attempt, tag, message }),
      returns: 0
    }
    return told
  }

  const retried = Effect.fnUntraced(function* (work: Work, failure: unknown, behind: number) {
    const now = clock.currentTimeMillisUnsafe()
    const attempts = work.progress.attempt
    const { brief, whole } = note(work, failure, now)
    // A handler fails with Err, or with what the runner makes of defects and timeouts.
    const error = failure as Exclude<Err, never> & AttemptFailure
    const millis = yield* Retry.delay(subscriber.retry as Retry.RetryPolicy<unknown>, {
      attempt: attempts,
      firstFailure: work.progress.firstFailure ?? now,
      now,
      error,
      seed: `${work.event.id}/${subscriber.name}`
    }).pipe(
      Effect.catchCause((cause) => {
        log.error("the retry policy failed: dead-lettering", {
          subscriber: subscriber.name,
          detail: String(cause.reasons[0])
        })
        return Effect.undefined
      })
    )
    if (millis === undefined) return yield* giveUp(work, "Exhausted", whole(), attempts)
    work.progress = { ...work.progress, attempt: attempts + 1 }
    counters.retried++
    metrics.retries.update(attempts)
    outcomes.retried.update(1)
    log.warning("attempt failed", {
      subscriber: subscriber.name,
      event: work.event.type,
      id: work.event.id,
      attempt: attempts,
      error: brief.tag,
      detail: brief.message,
      span: work.span,
      retryInMillis: millis
    })
    if (failures.isHeard()) {
      failures.retried({
        subscriber: subscriber.name,
        event: work.event.type,
        id: work.event.id,
        attempt: attempts,
        error: whole(),
        retryInMillis: millis
      })
    }
    return yield* delayed(work, millis, behind, whole, attempts)
  })

  const failed: Policy["failed"] = (work, verdict, behind) =>
    Effect.suspend(() => {
      switch (verdict._tag) {
        case "Later":
          return putOff(work, verdict.error, behind)
        case "Rejected": {
          const { whole } = note(work, verdict.error, clock.currentTimeMillisUnsafe())
          return giveUp(work, "Rejected", whole(), work.progress.attempt)
        }
        case "Failed":
          return retried(work, verdict.error, behind)
      }
    })

  const undecodable = Undecodable.make({ subscriber, clock, counters, metrics, log, settlement, deadLetter })

  return {
    failed,
    undecodable,
    handedOver: (work) => delayOnBroker(work, { ...work.progress, returns: 0 }, 0),
    notNow: (work, millis, behind) => {
      counters.postponed++
      metrics.outcome("postponed").update(1)
      // Whose process dies with each attempt has claimed it each time: a copy that forgets that would go on for ever.
      const returns = Caution.countOf(work.delivery)
      work.progress = { ...work.progress, returns }
      const failure = { tag: "HeldElsewhere", message: "another process had claimed it for too long" }
      return Effect.flatMap(keyed ? Effect.succeed(0) : Caution.apart(returns), (more) =>
        Effect.map(
          delayed(work, millis + more, behind, () => failure, work.progress.attempt - 1),
          (decision) => (typeof decision === "string" ? decision : { ...decision, unattempted: true })
        )
      )
    },
    full: (work) => {
      const { attempt, failures } = work.progress
      const last = failures.at(-1) ?? { tag: "LaneFull", message: "too many events of its key wait behind it" }
      return giveUp(work, "LaneFull", { tag: last.tag, message: last.message }, attempt - 1)
    },
    crashed: (work) =>
      giveUp(work, "CrashLoop", Diagnosis.crashLoop(Caution.countOf(work.delivery)), work.progress.attempt),
    notYetDue: (work) =>
      delayOnBroker(work, { ...work.progress, due: undefined }, (work.progress.due ?? 0) - work.receivedAt)
  } satisfies Policy
})
