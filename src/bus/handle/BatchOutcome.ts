/**
 * The outcome of each event of a batch, derived from the exit of its handler. An event that a `BatchFailure` does
 * not name has succeeded, unless something else failed too: then it counts as failed.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as Envelope from "../../event/Envelope.ts"
import * as Identity from "../../event/Identity.ts"
import { BatchFailure, type FailedEvent } from "../subscriber/Batch.ts"
import * as Diagnosis from "../send/Diagnosis.ts"
import { quoted } from "../../event/EventError.ts"

export interface Outcome {
  readonly exit: Exit.Exit<unknown, unknown>
  /** Whether it failed together with others: then its error may quote their data. */
  readonly shared: boolean
}

const handled: Outcome = { exit: Exit.void, shared: false }

/** The outcome of each event by its position. Errors are foreign objects, and inspecting one may throw. */
export const read = (
  events: ReadonlyArray<Envelope.Envelope>,
  exit: Exit.Exit<unknown, unknown>
): ((index: number) => Outcome) => {
  if (Exit.isSuccess(exit)) return () => handled
  return Diagnosis.tryRead(() => ofCause(events, exit.cause), sameForAll(exit))
}

const sameForAll = (exit: Exit.Exit<unknown, unknown>) => {
  const outcome: Outcome = { exit, shared: true }
  return (): Outcome => outcome
}

const ofCause = (
  events: ReadonlyArray<Envelope.Envelope>,
  cause: Cause.Cause<unknown>
): ((index: number) => Outcome) => {
  const named = new Map<number, Cause.Cause<unknown>>()
  const unnamed: Array<Cause.Reason<unknown>> = []
  let hasBatchFailure = false
  for (const reason of cause.reasons) {
    if (!(Cause.isFailReason(reason) && reason.error instanceof BatchFailure)) {
      unnamed.push(reason)
      continue
    }
    hasBatchFailure = true
    for (const failed of reason.error.failures) {
      const indices = positions(events, failed)
      if (indices.length === 0) return sameForAll(Exit.die(notInBatch(failed)))
      for (const index of indices) {
        const before = named.get(index)
        named.set(index, before === undefined ? failed.cause : Cause.combine(before, failed.cause))
      }
    }
  }
  if (!hasBatchFailure) return sameForAll(Exit.failCause(cause))
  const others = unnamed.length === 0 ? handled : { exit: Exit.failCause(Cause.fromReasons(unnamed)), shared: true }
  return (index) => {
    const failed = named.get(index)
    return failed === undefined ? others : { exit: Exit.failCause(failed), shared: false }
  }
}

/**
 * The position of this very event, if it is in the batch; otherwise the position of every event with its identity, or
 * of every event with the id that was given.
 */
const positions = (
  events: ReadonlyArray<Envelope.Envelope>,
  { event }: FailedEvent<unknown>
): ReadonlyArray<number> => {
  if (!Predicate.isString(event)) {
    const index = events.indexOf(event)
    if (index >= 0) return [index]
  }
  const isSame = Predicate.isString(event)
    ? (other: Envelope.Envelope) => other.id === event
    : (other: Envelope.Envelope) => Identity.textOf(other) === Identity.textOf(event)
  return events.flatMap((other, index) => (isSame(other) ? [index] : []))
}

const idOf = (event: FailedEvent<unknown>["event"]): string => (Predicate.isString(event) ? event : event.id)

const notInBatch = ({ event }: FailedEvent<unknown>): Error =>
  new Error(
    `the handler failed event "${quoted(idOf(event))}", which is not in its batch: name events of the batch, or their ids`
  )
