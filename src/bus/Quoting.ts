/**
 * What may be quoted of a handler's failure: handlers like to repeat the data they failed on, and the
 * values of sensitive fields are taken out of it (P14).
 */
import type * as Event from "../event/Event.ts"
import { HandlerDefect } from "./BusError.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type * as Subscription from "./Subscription.ts"
import type { Work } from "./Work.ts"

/** A defect is described by what was thrown. */
export const unwrap = (error: unknown): unknown =>
  Diagnosis.looked(() => (error instanceof HandlerDefect ? error.cause : error), error)

/** A failure as it may be told. */
export const redacted = <E extends Event.Any, Err, R>(
  subscriber: Subscription.Settled<E, Err, R>,
  work: Work,
  failure: Diagnosis.Failure
): Diagnosis.Failure => {
  const contract = subscriber.contracts.get(work.event.type)
  if (contract === undefined) return failure
  const clean = (text: string): string => contract.contract.redact(text, work.event.data)
  return {
    tag: failure.tag,
    message: clean(failure.message),
    stack: failure.stack === undefined ? undefined : clean(failure.stack)
  }
}
