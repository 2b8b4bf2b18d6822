/**
 * Deliveries that this process cannot decode. What nobody can decode is dead-lettered at once. A type or a version
 * that this process does not know was sent to the subscriber on purpose, by a binding: during a deploy another
 * process knows it. So it is never acknowledged here, but waits for that process, on the ladder or in its lane.
 */
import * as Effect from "effect/Effect"
import type * as CloudEvent from "../../event/CloudEvent.ts"
import type { InvalidEvent } from "../../event/EventError.ts"
import type { Delivery } from "../port/Broker.ts"
import type * as Diagnosis from "../send/Diagnosis.ts"
import type * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import { maxInPlaceMillis } from "../subscriber/OptionChecks.ts"
import type { DeadLettering } from "./DeadLettering.ts"
import type * as Decision from "./Decision.ts"
import type { PolicyParts } from "./PolicyParts.ts"
import type { Postponing } from "./Postponing.ts"
import * as Returns from "./Returns.ts"
import { type Unknown, unreadCopySource, type Work } from "./Work.ts"

export type DecodeError = InvalidEvent | Unknown

/**
 * The pauses of an event that is put off, in seconds: an hour in seven trips. Within a deploy the next trip is soon,
 * and may meet a process that knows it; a version that nobody ever knows costs the broker seven copies.
 */
const pauses = [1, 4, 15, 60, 240, 960, 2320]
const maxMillis = 60 * 60 * 1000

/** Types come from outside: this many are warned about, the rest is only counted. */
const maxWarned = 1000

export const isUnknown = (error: DecodeError): error is Unknown => error._tag !== "InvalidEvent"

export class Unreadable {
  private readonly parts: PolicyParts<never>
  private readonly deadLettering: DeadLettering
  private readonly postponing: Postponing
  private readonly warned = new Set<string>()

  constructor(parts: PolicyParts<never>, deadLettering: DeadLettering, postponing: Postponing) {
    this.parts = parts
    this.deadLettering = deadLettering
    this.postponing = postponing
  }

  /** `parsed` is what could be read of it. */
  settle(delivery: Delivery, parsed: CloudEvent.ParsedEvent | undefined, error: DecodeError): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { clock, subscriber } = this.parts
      const now = clock.currentTimeMillisUnsafe()
      const source = unreadCopySource(subscriber.name, delivery, parsed, now)
      if (!isUnknown(error)) {
        const failure = { tag: error._tag, message: error.message }
        const reason = delivery.signed === false && delivery.refusal === undefined ? "Unsigned" : "Invalid"
        return Effect.asVoid(this.deadLettering.deadLetterDelivery(delivery, source, reason, failure, 1))
      }
      const { progress } = source
      const pause = pauses[progress.unknown]
      if (subscriber.ephemeral || pause === undefined || now - since(progress, now) >= maxMillis) {
        const attempts = progress.attempt - 1
        return Effect.asVoid(
          this.deadLettering.deadLetterDelivery(delivery, source, reasonOf(error), failureOf(error), attempts)
        )
      }
      this.report(error, source.id)
      const next: RuntimeHeaders.Progress = {
        ...progress,
        // Its copy starts with all its lives, but an event that kills processes must not hide behind that.
        returns: Returns.countOf(delivery),
        unknown: progress.unknown + 1,
        unknownSince: since(progress, now)
      }
      return Effect.asVoid(this.parts.copies.delay(delivery, { ...source, progress: next }, pause * 1000))
    })
  }

  /** Until when an event of a lane may wait for a process that knows it. */
  waitsUntil(work: Work, error: Unknown): number {
    const { clock, subscriber } = this.parts
    const now = clock.currentTimeMillisUnsafe()
    if (work.progress.unknownSince === undefined) {
      this.report(error, work.event.id)
      work.progress = { ...work.progress, unknownSince: now }
    }
    // The bound of every event that blocks its key.
    return since(work.progress, now) + (subscriber.onBlocked === "park" ? maxMillis : maxInPlaceMillis)
  }

  deadLetter(work: Work, error: Unknown): Effect.Effect<Decision.Decision> {
    return this.deadLettering.deadLetter(work, reasonOf(error), failureOf(error), work.progress.attempt - 1)
  }

  /** Acknowledges an event that nobody is to handle. `expected` is whether the subscriber listed its type. */
  skip(delivery: Delivery, type: string, expected: boolean): void {
    const { counters, log, metrics, subscriber } = this.parts
    counters.skipped++
    metrics.outcome("skipped").update(1)
    if (!expected && this.isFirst(type)) {
      log.warning("an event that this subscriber did not ask for was skipped", {
        subscriber: subscriber.name,
        event: type
      })
    }
    delivery.ack()
  }

  /** Counts an event that waits, and warns once for each type and version. */
  private report(error: Unknown, id: string): void {
    const { log, subscriber } = this.parts
    this.postponing.count()
    const version = error._tag === "UnknownVersion" ? ` ${error.version}` : ""
    if (!this.isFirst(`${error.event}${version}`)) return
    log.warning("an event waits for a process of this subscriber that knows it", {
      subscriber: subscriber.name,
      event: error.event,
      id,
      detail: detailOf(error)
    })
  }

  private isFirst(name: string): boolean {
    if (this.warned.has(name) || this.warned.size >= maxWarned) return false
    this.warned.add(name)
    return true
  }
}

const since = ({ unknownSince }: RuntimeHeaders.Progress, now: number): number => unknownSince ?? now

const reasonOf = (error: Unknown): Diagnosis.DeadLetterReason =>
  error._tag === "UnknownVersion" ? "UnknownVersion" : "UnknownType"

const failureOf = (error: Unknown): Diagnosis.Failure => ({ tag: reasonOf(error), message: detailOf(error) })

const detailOf = (error: Unknown): string =>
  error._tag === "UnknownVersion"
    ? error.message
    : `event "${error.event}" is bound to this subscriber, but not in the \`events\` of this process: deploy one that handles it, then replay, or list it in \`retired\``
