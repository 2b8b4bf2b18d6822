/**
 * What came of each event of a batch, read from the end of its handler. An event that a `BatchFailure`
 * does not name has succeeded, unless something else failed too: then nobody knows.
 */
import { Cause, Exit } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import { BatchFailure, type FailedEvent } from "./Batch.ts"
import * as Diagnosis from "./Diagnosis.ts"
import { quoted } from "../event/EventError.ts"

/** How one event ended. */
export interface Outcome {
  readonly exit: Exit.Exit<unknown, unknown>
  /** Whether it failed with others: its error may quote what is theirs. */
  readonly shared: boolean
}

const handled: Outcome = { exit: Exit.void, shared: false }

/** By the position of the event; errors are foreign, and looking at one may throw. */
export const read = (
  events: ReadonlyArray<Envelope.Envelope>,
  exit: Exit.Exit<unknown, unknown>
): ((index: number) => Outcome) => {
  if (Exit.isSuccess(exit)) return () => handled
  return Diagnosis.looked(() => ofCause(events, exit.cause), everyone(exit))
}

const everyone = (exit: Exit.Exit<unknown, unknown>) => {
  const outcome: Outcome = { exit, shared: true }
  return (): Outcome => outcome
}

const ofCause = (
  events: ReadonlyArray<Envelope.Envelope>,
  cause: Cause.Cause<unknown>
): ((index: number) => Outcome) => {
  const named = new Map<number, Cause.Cause<unknown>>()
  const whole: Array<Cause.Reason<unknown>> = []
  let alone = false
  for (const reason of cause.reasons) {
    if (!(Cause.isFailReason(reason) && reason.error instanceof BatchFailure)) {
      whole.push(reason)
      continue
    }
    alone = true
    for (const failed of reason.error.failures) {
      const indices = positions(events, failed)
      if (indices.length === 0) return everyone(Exit.die(stranger(failed)))
      for (const index of indices) {
        const before = named.get(index)
        named.set(index, before === undefined ? failed.cause : Cause.combine(before, failed.cause))
      }
    }
  }
  if (!alone) return everyone(Exit.failCause(cause))
  const others = whole.length === 0 ? handled : { exit: Exit.failCause(Cause.fromReasons(whole)), shared: true }
  return (index) => {
    const failed = named.get(index)
    return failed === undefined ? others : { exit: Exit.failCause(failed), shared: false }
  }
}

/** The very event where it is one of the batch; of an id every delivery. */
const positions = (
  events: ReadonlyArray<Envelope.Envelope>,
  { event }: FailedEvent<unknown>
): ReadonlyArray<number> => {
  if (typeof event !== "string") {
    const index = events.indexOf(event)
    if (index >= 0) return [index]
  }
  const id = idOf(event)
  return events.flatMap((other, index) => (other.id === id ? [index] : []))
}

const idOf = (event: FailedEvent<unknown>["event"]): string => (typeof event === "string" ? event : event.id)

const stranger = ({ event }: FailedEvent<unknown>): Error =>
  new Error(
    `the handler failed event "${quoted(idOf(event))}", which is not in its batch: name events that it was given, or their ids`
  )
