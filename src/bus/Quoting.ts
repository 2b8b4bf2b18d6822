/**
 * What may be quoted of a handler's failure: handlers like to repeat the data they failed on, and the
 * values of sensitive fields are taken out of it (P14).
 */
import { Cause, Exit } from "effect"
import type * as Event from "../event/Event.ts"
import { HandlerDefect } from "./BusError.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type * as SubscriberSettings from "./SubscriberSettings.ts"
import { verdictOf, type Work } from "./Work.ts"

/** A defect is described by what was thrown. */
export const unwrap = (error: unknown): unknown =>
  Diagnosis.looked(() => (error instanceof HandlerDefect ? error.cause : error), error)

/** A failure as it may be told. */
export const redacted = <E extends Event.Any, Err, R>(
  subscriber: SubscriberSettings.Settled<E, Err, R>,
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

/** The end of an attempt as a span may tell it: tracers write the message and the stack of an error down. */
export const exit = <E extends Event.Any, Err, R>(
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  work: Work,
  ended: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(ended) || Cause.hasInterruptsOnly(ended.cause)) return ended
  const { message, stack, tag } = redacted(subscriber, work, Diagnosis.describe(unwrap(verdictOf(ended).error)))
  const told = new Error(message)
  told.name = tag
  told.stack = stack ?? `${tag}: ${message}`
  return Exit.fail(told)
}
