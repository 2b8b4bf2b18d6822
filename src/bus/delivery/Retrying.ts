/**
 * Retries: a failed attempt is recorded, and the subscriber's retry policy gives the delay of the next one.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import * as RetryDelay from "../subscriber/RetryDelay.ts"
import type { DeadLettering } from "./DeadLettering.ts"
import type { Delaying } from "./Delaying.ts"
import type { PolicyParts } from "./PolicyParts.ts"
import * as Expiry from "./Expiry.ts"
import * as SafeFailure from "./SafeFailure.ts"
import { logFields, type Work } from "./Work.ts"

export class Retrying<RetryError> {
  private readonly parts: PolicyParts<RetryError>
  private readonly deadLettering: DeadLettering
  private readonly delaying: Delaying
  private readonly outcome: { readonly update: (count: number) => void }

  constructor(parts: PolicyParts<RetryError>, deadLettering: DeadLettering, delaying: Delaying) {
    this.parts = parts
    this.deadLettering = deadLettering
    this.delaying = delaying
    this.outcome = parts.metrics.outcome("retried")
  }

  readonly retry = Effect.fnUntraced({ self: this }, function* (work: Work, failure: unknown, behind: number) {
    const attempts = work.progress.attempt
    const described = this.record(work, failure)
    const millis = yield* this.nextDelay(work, failure)
    if (millis === undefined) {
      return yield* this.deadLettering.deadLetter(work, "Exhausted", described.full(), attempts, described.fields)
    }
    // Now, and not when it comes back: by key, others would wait behind an attempt that is never made.
    const late = Expiry.failureAt(work, this.parts.clock.currentTimeMillisUnsafe() + millis)
    if (late !== undefined)
      return yield* this.deadLettering.deadLetter(work, "Expired", late, attempts, described.fields)
    this.report(work, millis, described)
    work.progress = { ...work.progress, attempt: attempts + 1 }
    return yield* this.delaying.delay({ work, millis, behind, attempts, failure: described.full })
  })

  /** Adds a failed attempt to the event's progress, and returns what may be quoted of it. */
  record(work: Work, error: unknown): SafeFailure.Described {
    const { clock, monotonic, subscriber } = this.parts
    const now = clock.currentTimeMillisUnsafe()
    const described = SafeFailure.describe(subscriber, work, SafeFailure.unwrap(error))
    const { message, tag } = described.brief
    const { progress } = work
    work.failingSince ??= monotonic() - Math.max(0, now - (progress.firstFailure ?? now))
    work.progress = {
      ...progress,
      firstFailure: progress.firstFailure ?? now,
      failures: RuntimeHeaders.addFailure(progress, { at: now, attempt: progress.attempt, tag, message }),
      returns: 0
    }
    return described
  }

  /** Milliseconds until the next attempt; undefined when the retry policy has ended or failed. */
  private nextDelay(work: Work, failure: unknown): Effect.Effect<number | undefined> {
    const { clock, log, monotonic, subscriber } = this.parts
    const { event, progress } = work
    const { firstFailure = clock.currentTimeMillisUnsafe() } = progress
    const elapsed = work.failingSince === undefined ? 0 : monotonic() - work.failingSince
    return RetryDelay.delay(subscriber.retry, {
      attempt: progress.attempt,
      firstFailure,
      now: firstFailure + elapsed,
      // A handler fails with an error of its own type, or with the runtime's for a defect or a timeout.
      error: failure as RetryError,
      seed: `${event.id}/${subscriber.name}`
    }).pipe(
      Effect.catchCause((cause) => {
        log.error("the retry policy failed: dead-lettering", {
          subscriber: subscriber.name,
          // A policy is given the error, and may quote it.
          detail: SafeFailure.describe(subscriber, work, Cause.squash(cause)).brief.message
        })
        return Effect.undefined
      })
    )
  }

  private report(work: Work, millis: number, { brief, fields, full }: SafeFailure.Described): void {
    const { counters, failures, log, metrics, subscriber } = this.parts
    const { attempt } = work.progress
    counters.retried++
    metrics.retries.update(attempt)
    this.outcome.update(1)
    log.warning(
      "attempt failed",
      {
        ...logFields(subscriber.name, work),
        error: brief.tag,
        detail: brief.message,
        retryInMillis: millis
      },
      fields
    )
    if (failures.isObserved()) {
      failures.retried({
        subscriber: subscriber.name,
        event: work.event.type,
        id: work.event.id,
        attempt,
        error: full(),
        retryIn: Duration.millis(millis)
      })
    }
  }
}
