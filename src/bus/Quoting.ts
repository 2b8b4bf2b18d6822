/**
 * What may be quoted of a handler's failure: handlers like to repeat the data they failed on, and the
 * values of sensitive fields are taken out of it (P14).
 */
import { Cause, Exit } from "effect"
import * as Contract from "../event/Contract.ts"
import type * as Event from "../event/Event.ts"
import { HandlerDefect } from "./BusError.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type * as SubscriberSettings from "./SubscriberSettings.ts"
import { verdictOf, type Work } from "./Work.ts"

/** A defect is described by what was thrown. */
export const unwrap = (error: unknown): unknown =>
  Diagnosis.looked(() => (error instanceof HandlerDefect ? error.cause : error), error)

/** Takes out what is sensitive in any of these events: an error of several may quote each of them. */
export const ofAll = <E extends Event.Any>(
  contracts: ReadonlyMap<string, E>,
  works: ReadonlyArray<Work>
): ((text: string) => string) => {
  // They all fail with one error, and each one asks.
  const known = new Map<string, string>()
  let secrets: ReadonlyArray<string> | undefined
  return (text) => {
    secrets ??= works.flatMap(({ event }) => contracts.get(event.type)?.contract.secrets(event.data) ?? [])
    const clean = known.get(text) ?? Contract.hide(text, secrets)
    known.set(text, clean)
    return clean
  }
}

/** What an attempt failed with, by its tag, for spans and metrics; undefined when it did not. */
export const errorType = (work: Work, ended: Exit.Exit<unknown, unknown>): string | undefined => {
  return work.timedOut ? "HandlerTimeout" : tagOf(ended)
}

export const tagOf = (ended: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(ended)) return undefined
  return Cause.hasInterruptsOnly(ended.cause) ? "Interrupted" : Diagnosis.describe(unwrap(verdictOf(ended).error)).tag
}

/** A failure as it may be told. */
export const redacted = <E extends Event.Any, Err, R>(
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  work: Work,
  failure: Diagnosis.Failure
): Diagnosis.Failure => {
  const contract = subscriber.contracts.get(work.event.type)
  if (contract === undefined) return failure
  return cleaned(failure, work.clean ?? ((text) => contract.contract.redact(text, work.event.data)))
}

const cleaned = ({ message, stack, tag }: Diagnosis.Failure, clean: (text: string) => string): Diagnosis.Failure => ({
  tag,
  message: clean(message),
  stack: stack === undefined ? undefined : clean(stack)
})

/** The end of an attempt as a span may tell it: tracers write the message and the stack of an error down. */
export const exit = <E extends Event.Any, Err, R>(
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  work: Work,
  ended: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> => {
  const contract = subscriber.contracts.get(work.event.type)
  return told(ended, work.clean ?? ((text) => contract?.contract.redact(text, work.event.data) ?? text))
}

export const told = (
  ended: Exit.Exit<unknown, unknown>,
  clean: (text: string) => string
): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(ended) || Cause.hasInterruptsOnly(ended.cause)) return ended
  const { message, stack, tag } = cleaned(Diagnosis.describe(unwrap(verdictOf(ended).error)), clean)
  const told = new Error(message)
  told.name = tag
  told.stack = stack ?? `${tag}: ${message}`
  return Exit.fail(told)
}
