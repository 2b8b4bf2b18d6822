/**
 * What may be quoted of a handler's failure: handlers like to repeat the data they failed on, and the
 * values of sensitive fields are taken out of it (P14).
 */
import { Cause, Exit } from "effect"
import * as Contract from "../event/Contract.ts"
import type * as Event from "../event/Event.ts"
import { HandlerDefect, HandlerTimeout, Later, Reject } from "./BusError.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type * as SubscriberSettings from "./SubscriberSettings.ts"
import { verdictOf, type Work } from "./Work.ts"

/** A defect is described by what was thrown. */
export const unwrap = (error: unknown): unknown =>
  Diagnosis.looked(() => (error instanceof HandlerDefect ? error.cause : error), error)

/** What its stack tells of a failure: the runtime's own errors are made by no fault, and a rejection has its cause. */
const stackOf = (error: unknown): string | undefined =>
  Diagnosis.looked(() => {
    if (error instanceof Reject) return Diagnosis.stackOf(error.cause)
    return error instanceof HandlerTimeout || error instanceof Later ? undefined : Diagnosis.stackOf(error)
  }, undefined)

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

/** A failure as it may be told, without its stack, and the same with it, which costs more than all the rest. */
export const describe = <E extends Event.Any, Err, R>(
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  work: Work,
  error: unknown
): { readonly brief: Diagnosis.Failure; readonly whole: () => Diagnosis.Failure } => {
  const clean = cleaner(subscriber, work)
  const { message, tag } = Diagnosis.describe(error)
  const brief = { tag, message: clean(message) }
  const whole = (): Diagnosis.Failure => {
    const stack = stackOf(error)
    return stack === undefined ? brief : { ...brief, stack: clean(stack) }
  }
  return { brief, whole }
}

const same = (text: string): string => text

const cleaner = <E extends Event.Any, Err, R>(
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  work: Work
): ((text: string) => string) => {
  if (work.clean !== undefined) return work.clean
  const contract = subscriber.contracts.get(work.event.type)?.contract
  if (contract === undefined) return same
  let secrets: ReadonlyArray<string> | undefined
  return (text) => {
    secrets ??= contract.secrets(work.event.data)
    return secrets.length === 0 ? text : Contract.hide(text, secrets)
  }
}

/** The end of an attempt as a span may tell it: tracers write the message and the stack of an error down. */
export const exit = <E extends Event.Any, Err, R>(
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  work: Work,
  ended: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> => {
  return told(ended, cleaner(subscriber, work))
}

export const told = (
  ended: Exit.Exit<unknown, unknown>,
  clean: (text: string) => string
): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(ended) || Cause.hasInterruptsOnly(ended.cause)) return ended
  const error = unwrap(verdictOf(ended).error)
  const { message, tag } = Diagnosis.describe(error)
  const stack = stackOf(error)
  const told = new Error(clean(message))
  told.name = tag
  told.stack = stack === undefined ? `${tag}: ${told.message}` : clean(stack)
  return Exit.fail(told)
}
