/**
 * What may be quoted of a handler's failure in logs, spans and dead letters: handlers like to repeat the data
 * that they failed on, so the values of sensitive fields are removed first.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Event from "../../event/Event.ts"
import { Secrets } from "../../event/sensitive/Secrets.ts"
import type * as Log from "../../observe/Log.ts"
import * as Diagnosis from "../send/Diagnosis.ts"
import { AroundFailure, HandlerDefect, HandlerTimeout, Later, Reject } from "../subscriber/HandlerError.ts"
import * as FailedAttempt from "./FailedAttempt.ts"
import * as FailureFields from "./FailureFields.ts"
import type { Work } from "./Work.ts"

/** The contracts of a subscriber by event type: they name the sensitive fields. */
export interface Contracts {
  readonly contracts: ReadonlyMap<string, Event.Any>
}

/** A failure that may be quoted. */
export interface Described {
  readonly brief: Diagnosis.Failure
  /** The same with its stack, which costs more than everything else here. */
  readonly full: () => Diagnosis.Failure
  /** What its log line says besides. */
  readonly fields: () => Log.Fields
}

/** A defect is described by the value that was thrown, the failure of a hook by its own error. */
export const unwrap = (error: unknown): unknown =>
  Diagnosis.tryRead(
    () => (error instanceof HandlerDefect || error instanceof AroundFailure ? error.cause : error),
    error
  )

/** A rejection has the stack of its cause. The runtime's own errors have none: no fault made them. */
const stackOf = (error: unknown): string | undefined =>
  Diagnosis.tryRead(() => {
    if (error instanceof Reject) return Diagnosis.stackOf(error.cause)
    return error instanceof HandlerTimeout || error instanceof Later ? undefined : Diagnosis.stackOf(error)
  }, undefined)

/** Removes what is sensitive in any of these events: an error of a whole batch may quote each of them. */
export const redactorOf = <E extends Event.Any>(
  contracts: ReadonlyMap<string, E>,
  works: ReadonlyArray<Work>
): ((text: string) => string) => {
  // Every event of the batch fails with the same error, and each redacts it.
  const known = new Map<string, string>()
  let secrets: Secrets | undefined
  return (text) => {
    secrets ??= secretsOf(contracts, works)
    const redacted = known.get(text) ?? secrets.hide(text)
    known.set(text, redacted)
    return redacted
  }
}

/** The tag of the error that an attempt failed with, for spans and metrics; undefined if it did not fail. */
export const errorType = (work: Work, exit: Exit.Exit<unknown, unknown>): string | undefined =>
  work.timedOut ? "HandlerTimeout" : tagOf(exit)

export const tagOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  return Cause.hasInterruptsOnly(exit.cause)
    ? "Interrupted"
    : Diagnosis.describe(unwrap(FailedAttempt.of(exit).error)).tag
}

export const describe = (subscriber: Contracts, work: Work, error: unknown): Described => {
  const redact = redactor(subscriber, work)
  const { message, tag } = Diagnosis.describe(error)
  const brief = { tag, message: redact(message) }
  const full = (): Diagnosis.Failure => {
    const stack = stackOf(error)
    return stack === undefined ? brief : { ...brief, stack: redact(stack) }
  }
  return { brief, full, fields: () => FailureFields.of(error, work.event.key, redact) }
}

/** The key of an event, for the log. */
export const keyOf = (subscriber: Contracts, work: Work): Log.Fields =>
  FailureFields.ofKey(work.event.key, redactor(subscriber, work))

const unchanged = (text: string): string => text

const redactor = (subscriber: Contracts, work: Work): ((text: string) => string) => {
  if (work.redact !== undefined) return work.redact
  if (!subscriber.contracts.has(work.event.type)) return unchanged
  let secrets: Secrets | undefined
  return (text) => {
    secrets ??= secretsOf(subscriber.contracts, [work])
    return secrets.hide(text)
  }
}

const secretsOf = (contracts: ReadonlyMap<string, Event.Any>, works: ReadonlyArray<Work>): Secrets => {
  const secrets = new Secrets()
  for (const { event } of works) contracts.get(event.type)?.dataCodec.collectSecrets(secrets, event.data)
  return secrets
}

/** The end of an attempt for its span: tracers write down the message and the stack of an error. */
export const redactAttempt = (
  subscriber: Contracts,
  work: Work,
  exit: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> => redactExit(exit, redactor(subscriber, work))

/** The same exit, with an error that may be quoted. */
export const redactExit = (
  exit: Exit.Exit<unknown, unknown>,
  redact: (text: string) => string
): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return exit
  const error = unwrap(FailedAttempt.of(exit).error)
  const { message, tag } = Diagnosis.describe(error)
  const stack = stackOf(error)
  const redacted = new Error(redact(message))
  redacted.name = tag
  redacted.stack = stack === undefined ? `${tag}: ${redacted.message}` : redact(stack)
  return Exit.fail(redacted)
}
