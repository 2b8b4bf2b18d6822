/**
 * Dead-letters what cannot be handled: a confirmed copy with its diagnosis, then the acknowledgement, the
 * log line, the metrics and the failure feed.
 */
import * as Effect from "effect/Effect"
import type * as Log from "../../observe/Log.ts"
import * as Trace from "../../observe/Trace.ts"
import type { Delivery } from "../port/Broker.ts"
import * as Diagnosis from "../send/Diagnosis.ts"
import type { CopySource } from "./Copies.ts"
import * as Decision from "./Decision.ts"
import type { PolicyParts } from "./PolicyParts.ts"
import * as SafeFailure from "./SafeFailure.ts"
import { copySource, type Work } from "./Work.ts"

export class DeadLettering {
  private readonly parts: PolicyParts<never>
  private readonly outcome: { readonly update: (count: number) => void }

  constructor(parts: PolicyParts<never>) {
    this.parts = parts
    this.outcome = parts.metrics.outcome("dead-lettered")
  }

  /** `failure` may be quoted: nothing sensitive is left in it, nor in the `fields` of its log line. */
  deadLetter(
    work: Work,
    reason: Diagnosis.DeadLetterReason,
    failure: Diagnosis.Failure,
    attempts: number,
    fields = () => SafeFailure.keyOf(this.parts.subscriber, work)
  ): Effect.Effect<Decision.Decision> {
    const source = copySource(this.parts.subscriber.name, work, work.progress)
    return this.deadLetterDelivery(work.delivery, source, reason, failure, attempts, fields)
  }

  /** The same for one whose event may be unreadable. */
  deadLetterDelivery(
    delivery: Delivery,
    source: CopySource,
    reason: Diagnosis.DeadLetterReason,
    failure: Diagnosis.Failure,
    attempts: number,
    fields?: () => Log.Fields
  ): Effect.Effect<Decision.Decision> {
    const { copies, subscriber } = this.parts
    const diagnosis = this.diagnose(source, reason, failure, attempts)
    // Read before the delivery is settled.
    const span = source.span ?? Trace.extract(delivery.headers)
    if (!subscriber.ephemeral) {
      return Effect.map(copies.deadLetter(delivery, source, diagnosis), (stored) => {
        if (stored) {
          this.report(diagnosis, span, fields)
          subscriber.onDeadLetter?.(delivery, diagnosis)
        }
        return Decision.settled
      })
    }
    // A live stream has no dead-letter queue: the event is reported and dropped.
    delivery.ack()
    this.report(diagnosis, span, fields)
    return Decision.settledNow
  }

  private diagnose(
    { id, progress, type }: CopySource,
    reason: Diagnosis.DeadLetterReason,
    error: Diagnosis.Failure,
    attempts: number
  ): Diagnosis.Diagnosis {
    const { clock, subscriber } = this.parts
    const now = clock.currentTimeMillisUnsafe()
    return {
      subscriber: subscriber.name,
      reason,
      error,
      attempts,
      firstFailure: progress.firstFailure ?? now,
      lastFailure: now,
      failures: progress.failures,
      eventId: id,
      eventType: type,
      host: Diagnosis.host,
      library: Diagnosis.library,
      replays: progress.replays,
      replayId: progress.replayId,
      firstSpan: progress.firstSpan,
      edits: progress.edits
    }
  }

  private report(diagnosis: Diagnosis.Diagnosis, span: CopySource["span"], fields?: () => Log.Fields): void {
    const { counters, failures, log, metrics, subscriber } = this.parts
    const { attempts, error, eventId, eventType, reason } = diagnosis
    counters.deadLettered++
    this.outcome.update(1)
    metrics.deadLettered(reason).update(1)
    log.error(
      subscriber.ephemeral ? "dropped" : "dead-lettered",
      {
        subscriber: subscriber.name,
        event: eventType,
        id: eventId,
        reason,
        attempts,
        error: error.tag,
        detail: error.message,
        span
      },
      fields
    )
    failures.deadLettered(diagnosis, subscriber.announceDeadLetters && !subscriber.ephemeral)
  }
}
