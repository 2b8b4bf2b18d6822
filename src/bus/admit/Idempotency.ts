/**
 * Handles an event once, although it may be delivered more often. The event is claimed before its handler runs
 * and marked as done afterwards. A delivery of an event that is done is acknowledged without running; an event
 * that another process has claimed waits for the end of that claim.
 *
 * A process that dies between the handler and the done mark leaves an event that is handled once more. Only a
 * transaction around both could prevent that. An event without an identity is handled at each delivery. An event whose
 * identity another event had, with other data, is no duplicate: its publisher counts anew, and it is dead-lettered.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as DataDigest from "../../event/DataDigest.ts"
import * as Identity from "../../event/Identity.ts"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type * as Log from "../../observe/Log.ts"
import type { Work } from "../delivery/Work.ts"
import type { ClaimStore, Subject } from "../port/ClaimStore.ts"
import { errorOf } from "./StandIn.ts"

/** Nothing was attempted: the event was handled before. */
export class AlreadyHandled extends Schema.TaggedError<AlreadyHandled>()("AlreadyHandled", {}) {}

/** Nothing was attempted: another event with this identity was handled before. */
export class IdReused extends Schema.TaggedError<IdReused>()("IdReused", {}) {}

/** Nothing was attempted: another process has claimed the event, or the store does not respond. */
export class HeldElsewhere extends Schema.TaggedError<HeldElsewhere>()("HeldElsewhere", { millis: Schema.Finite }) {}

export type OnStoreDown = "handle" | "wait"

export interface Idempotency {
  /** Runs the handler with the fence of its claim, unless the event is done or claimed elsewhere. */
  readonly once: <A, E, R>(
    work: Work,
    handler: (fence: number | undefined) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, unknown, R>
}

/** How long a claim outlives the deadline of the handler. */
const graceMillis = 10_000
const doneMarkMillis = 24 * 60 * 60 * 1000
const storeDownMillis = 1000

export const make = (
  store: ClaimStore["Service"],
  options: {
    readonly subscriber: string
    readonly deadlineMillis: number
    readonly onStoreDown: OnStoreDown
    /** A name that no other process has. */
    readonly process: string
    readonly log: Log.Log
  }
): Idempotency => {
  const { deadlineMillis, log, onStoreDown, process, subscriber } = options
  let claims = 0
  const logStoreDown = (detail: string): void =>
    log.warning("idempotency: the store does not answer", { subscriber, detail })

  return {
    once: <A, E, R>(work: Work, handler: (fence: number | undefined) => Effect.Effect<A, E, R>) =>
      Effect.suspend((): Effect.Effect<A, unknown, R> => {
        const { id, source, type } = work.event
        if (!Identity.isKnown(work.event)) return handler(undefined)
        const digest = digestOf(work)
        const subject: Subject = { subscriber, source, type, id, digest }
        const claimant = `${process}.${++claims}`
        const settle = (exit: Exit.Exit<A, E>): Effect.Effect<void> => {
          const settled =
            Exit.isSuccess(exit) || work.handledByBatch
              ? Effect.asVoid(store.done(subject, claimant, doneMarkMillis))
              : store.release(subject, claimant)
          return Effect.catch(settled, (error) => Effect.sync(() => logStoreDown(error.message)))
        }
        return Effect.flatMap(
          Effect.catch(store.claim(subject, claimant, deadlineMillis + graceMillis), (error) => {
            logStoreDown(error.message)
            return onStoreDown === "handle"
              ? Effect.undefined
              : Effect.fail(new HeldElsewhere({ millis: storeDownMillis }))
          }),
          (claim): Effect.Effect<A, unknown, R> => {
            if (claim === undefined) return handler(undefined)
            // Marks of former versions have no digest.
            if (claim._tag === "Done")
              return Effect.fail(
                claim.digest === undefined || claim.digest === digest ? new AlreadyHandled() : new IdReused()
              )
            if (claim._tag === "Held") return Effect.fail(new HeldElsewhere({ millis: Math.max(1, claim.millis) }))
            return Effect.onExit(handler(claim.fence), settle)
          }
        )
      })
  }
}

/** Why nothing was attempted, if this exit means that. */
export const refusal = (exit: Exit.Exit<unknown, unknown>): AlreadyHandled | HeldElsewhere | IdReused | undefined => {
  const error = errorOf(exit)
  return error instanceof AlreadyHandled || error instanceof HeldElsewhere || error instanceof IdReused
    ? error
    : undefined
}

/** Of the data as it was received: a copy keeps it, and neither a newer contract nor a time sent anew changes it. */
const digestOf = ({ delivery: { body, headers, properties } }: Work): string | undefined => {
  const parsed = Result.getOrUndefined(WireFormat.parse(body, Limits.defaults, properties, headers))
  return parsed === undefined ? undefined : DataDigest.of(parsed.json)
}
