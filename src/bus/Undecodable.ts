/**
 * What becomes of a delivery that cannot be read: dead-lettered at once (P9), but for a version that a newer
 * process may know, which waits for it.
 */
import { type Clock, Effect } from "effect"
import type * as Log from "../observe/Log.ts"
import type * as Metrics from "../observe/Meters.ts"
import type { Delivery } from "./Broker.ts"
import type * as Diagnosis from "./Diagnosis.ts"
import type { Settlement, Subject } from "./Settlement.ts"
import { type Counters, type Policy, subjectOfUnread } from "./Work.ts"

const newerVersion = { everyMillis: 30_000, atMostMillis: 60 * 60 * 1000 }

export const make = (around: {
  readonly subscriber: { readonly name: string; readonly ephemeral: boolean }
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly metrics: Metrics.SubscriberMetrics
  readonly log: Log.Log
  readonly settlement: Settlement
  readonly deadLetter: (
    delivery: Delivery,
    subject: Subject,
    reason: Diagnosis.DeadLetterReason,
    failure: Diagnosis.Failure,
    attempts: number
  ) => Effect.Effect<unknown>
}): Policy["undecodable"] => {
  const { clock, counters, deadLetter, log, metrics, settlement, subscriber } = around
  return Effect.fnUntraced(function* (delivery, parsed, error) {
    const now = clock.currentTimeMillisUnsafe()
    const subject = subjectOfUnread(subscriber.name, delivery, parsed, now)
    const { progress } = subject
    if (error._tag === "UnknownVersion" && !subscriber.ephemeral) {
      const since = progress.postponedSince ?? now
      if (now - since < newerVersion.atMostMillis) {
        counters.postponed++
        metrics.outcome("postponed").update(1)
        log.warning("a newer version was postponed", {
          subscriber: subscriber.name,
          event: subject.type,
          id: subject.id,
          detail: error.message
        })
        const next = { ...progress, postponed: progress.postponed + 1, postponedSince: since }
        yield* settlement.delay(delivery, { ...subject, progress: next }, newerVersion.everyMillis)
        return
      }
    }
    const reason = error._tag === "InvalidEvent" ? "Invalid" : error._tag
    yield* deadLetter(delivery, subject, reason, { tag: error._tag, message: error.message }, 1)
  })
}
