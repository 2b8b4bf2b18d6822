/**
 * What becomes of a delivery that was not handled, by the settlement table in docs/architecture.md. Attempts,
 * delays and bounds are decided here; Copies stores what is sent, and the runner decides when a handler runs.
 */
import * as Effect from "effect/Effect"
import type * as CloudEvent from "../../event/CloudEvent.ts"
import type { Delivery } from "../port/Broker.ts"
import * as Diagnosis from "../send/Diagnosis.ts"
import { DeadLettering } from "./DeadLettering.ts"
import type { Decision } from "./Decision.ts"
import { Delaying } from "./Delaying.ts"
import * as Expiry from "./Expiry.ts"
import type { FailedAttempt } from "./FailedAttempt.ts"
import type { PolicyParts } from "./PolicyParts.ts"
import { Postponing, type Unclaimed } from "./Postponing.ts"
import { Retrying } from "./Retrying.ts"
import * as Returns from "./Returns.ts"
import { type DecodeError, Unreadable } from "./Unreadable.ts"
import { startsOf, type Unknown, type Work } from "./Work.ts"

/** Each decision runs in a fiber of its own. */
export interface FailurePolicy {
  /** `behind` is how many events of its key wait for it. */
  readonly settleFailed: (work: Work, failed: FailedAttempt, behind: number) => Effect.Effect<Decision>
  /** Nothing was attempted, since it could not be claimed. */
  readonly postponeClaimed: (work: Work, claim: Unclaimed, behind: number) => Effect.Effect<Decision>
  /** It came before its time. */
  readonly delayUntilDue: (work: Work) => Effect.Effect<Decision>
  /** The bus drains before its next attempt in this process could start. */
  readonly handOver: (work: Work) => Effect.Effect<Decision>
  /** It may end the process, and cannot start now. */
  readonly setAside: (work: Work) => Effect.Effect<Decision>
  /** Too many events wait behind it, and no more of them can be parked. */
  readonly deadLetterLaneFull: (work: Work) => Effect.Effect<Decision>
  /** Its key cannot be parked until `due`, in wall time. */
  readonly waitUnparked: (work: Work, due: number | undefined) => Effect.Effect<Decision>
  /** Another event with its identity was handled before. */
  readonly deadLetterIdReused: (work: Work) => Effect.Effect<Decision>
  /** Its time was over before its handler began. */
  readonly deadLetterExpired: (work: Work) => Effect.Effect<Decision>
  /** A process died each time that it was in flight. */
  readonly deadLetterCrashLoop: (work: Work) => Effect.Effect<Decision>
  /** `parsed` is what could be read of it. */
  readonly settleUnreadable: (
    delivery: Delivery,
    parsed: CloudEvent.ParsedEvent | undefined,
    error: DecodeError
  ) => Effect.Effect<void>
  /** Until when an event that this process does not know may wait in its lane for a process that does. */
  readonly waitsUntil: (work: Work, error: Unknown) => number
  /** No process knew it in time. */
  readonly deadLetterUnknown: (work: Work, error: Unknown) => Effect.Effect<Decision>
  /** Acknowledges an event that nobody is to handle. `expected` is whether the subscriber listed its type. */
  readonly skip: (delivery: Delivery, type: string, expected: boolean) => void
}

export const make = <RetryError>(parts: PolicyParts<RetryError>): FailurePolicy => {
  const deadLettering = new DeadLettering(parts)
  const delaying = new Delaying(parts, deadLettering)
  const retrying = new Retrying(parts, deadLettering, delaying)
  const postponing = new Postponing(parts, deadLettering, delaying)
  const unreadable = new Unreadable(parts, deadLettering, postponing)
  return {
    settleFailed: (work, failed, behind) =>
      Effect.suspend(() => {
        switch (failed._tag) {
          case "Failed":
            return retrying.retry(work, failed.error, behind)
          case "Rejected": {
            const { fields, full } = retrying.record(work, failed.error)
            return deadLettering.deadLetter(work, "Rejected", full(), work.progress.attempt, fields)
          }
          case "Later":
            return postponing.postpone(work, failed.error, behind)
        }
      }),
    postponeClaimed: (work, claim, behind) => postponing.postponeClaimed(work, claim, behind),
    delayUntilDue: (work) => {
      const { due = 0 } = work.progress
      return delaying.delayOnBroker(
        work,
        { ...work.progress, due: undefined },
        due - parts.clock.currentTimeMillisUnsafe()
      )
    },
    handOver: (work) => delaying.handOver(work),
    setAside: (work) => delaying.setAside(work),
    deadLetterLaneFull: (work) => {
      if (work.unknown !== undefined) return unreadable.deadLetter(work, work.unknown)
      return delaying.giveUp(work, "LaneFull")
    },
    waitUnparked: (work, due) => delaying.waitUnparked(work, due),
    deadLetterIdReused: (work) => deadLettering.deadLetter(work, "IdReused", idReused, work.progress.attempt - 1),
    deadLetterExpired: (work) =>
      Effect.suspend(() => {
        const failure = Expiry.failure(work, parts.clock.currentTimeMillisUnsafe())
        return deadLettering.deadLetter(work, "Expired", failure, work.progress.attempt - 1)
      }),
    deadLetterCrashLoop: (work) => {
      const failure = Diagnosis.crashLoop(Returns.countOf(work.delivery), startsOf(work))
      return deadLettering.deadLetter(work, "CrashLoop", failure, work.progress.attempt)
    },
    settleUnreadable: (delivery, parsed, error) => unreadable.settle(delivery, parsed, error),
    waitsUntil: (work, error) => unreadable.waitsUntil(work, error),
    deadLetterUnknown: (work, error) => unreadable.deadLetter(work, error),
    skip: (delivery, type, expected) => unreadable.skip(delivery, type, expected)
  }
}

const idReused: Diagnosis.Failure = {
  tag: "IdReused",
  message:
    "an event with the same source, type and id and other data was handled before: its publisher has to give each event an id of its own"
}
