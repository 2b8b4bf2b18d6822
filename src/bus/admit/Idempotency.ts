/**
 * Handles an event once, although it may be delivered more often. The event is claimed before its handler runs
 * and marked as done afterwards. A delivery of an event that is done is acknowledged without running; an event that
 * another process has claimed waits for the end of that claim, which is renewed while its handler runs (Leases.ts).
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
import type { Subject } from "../port/ClaimStore.ts"
import * as Leases from "./Leases.ts"
import { errorOf } from "./StandIn.ts"

/** Nothing was attempted: the event was handled before. */
export class AlreadyHandled extends Schema.TaggedError<AlreadyHandled>()("AlreadyHandled", {}) {}

/** Nothing was attempted: another event with this identity was handled before. */
export class IdReused extends Schema.TaggedError<IdReused>()("IdReused", {}) {}

/** Nothing was attempted: another process has claimed the event (`isHeld`), or the store does not respond. */
export class HeldElsewhere extends Schema.TaggedError<HeldElsewhere>()("HeldElsewhere", {
  millis: Schema.Finite,
  isHeld: Schema.Boolean
}) {}

export type OnStoreDown = "handle" | "wait"

export interface Idempotency {
  /** Runs the handler with the fence of its claim, unless the event is done or claimed elsewhere. */
  readonly once: <A, E, R>(
    work: Work,
    handler: (fence: number | undefined) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, unknown, R>
}

const doneMarkMillis = 24 * 60 * 60 * 1000
const storeDownMillis = 1000

export interface Options {
  readonly subscriber: string
  readonly deadlineMillis: number
  readonly onStoreDown: OnStoreDown
  /** A name that no other process has. */
  readonly process: string
  readonly log: Log.Log
}

export const make = (leases: Leases.Leases, options: Options): Idempotency => {
  const { deadlineMillis, log, onStoreDown, process, subscriber } = options
  const { store } = leases
  let claims = 0
  const storeDown = (subject: Subject, claimant: string, detail: string): void => {
    log.warning("idempotency: the store does not answer", { subscriber, detail })
    leases.leave(subject, claimant)
  }
  /** The handler of the claim has ended. */
  const settle = (work: Work, lease: Leases.Lease, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    const { claimant, subject } = lease
    leases.end(lease)
    const settled =
      Exit.isSuccess(exit) || work.handledByBatch
        ? Effect.map(store.done(subject, claimant, doneMarkMillis), (isHolder) => {
            if (!isHolder)
              log.warning("handled without a done mark: another process took the claim over meanwhile", {
                subscriber,
                event: subject.type,
                id: subject.id
              })
          })
        : store.release(subject, claimant)
    return Effect.catch(settled, ({ message }) => Effect.sync(() => storeDown(subject, claimant, message)))
  }
  const attempt = <A, E, R>(
    work: Work,
    subject: Subject,
    handler: (fence: number | undefined) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, unknown, R> => {
    const claimant = `${process}.${++claims}`
    const unanswered = (): void => leases.leave(subject, claimant)
    const claim = store.claim(subject, claimant, Leases.leaseMillis).pipe(
      Effect.onInterrupt(() => Effect.sync(unanswered)),
      Effect.catch(({ message }) => {
        if (onStoreDown === "wait") {
          storeDown(subject, claimant, message)
          return Effect.fail(new HeldElsewhere({ millis: storeDownMillis, isHeld: false }))
        }
        log.warning("idempotency: the store does not answer", { subscriber, detail: message })
        return Effect.undefined
      })
    )
    return Effect.flatMap(claim, (claim): Effect.Effect<A, unknown, R> => {
      if (claim?._tag !== "Held") work.heldSince = undefined
      // The claim may stand in the store: it is given up when the attempt has ended, not before.
      if (claim === undefined) return Effect.onExit(handler(undefined), () => Effect.sync(unanswered))
      switch (claim._tag) {
        case "Done":
          // Marks of former versions have no digest.
          return Effect.fail(
            claim.digest === undefined || claim.digest === subject.digest ? new AlreadyHandled() : new IdReused()
          )
        case "Held":
          return Effect.fail(new HeldElsewhere({ millis: Math.max(1, claim.millis), isHeld: true }))
        case "Claimed": {
          const lease = leases.keep({ subject, claimant, fence: claim.fence }, deadlineMillis)
          return Effect.onExit(handler(claim.fence), (exit) => settle(work, lease, exit))
        }
      }
    })
  }
  return {
    once: <A, E, R>(work: Work, handler: (fence: number | undefined) => Effect.Effect<A, E, R>) =>
      Effect.suspend((): Effect.Effect<A, unknown, R> => {
        const { id, source, type } = work.event
        if (!Identity.isKnown(work.event)) return handler(undefined)
        const subject: Subject = { subscriber, source, type, id, digest: digestOf(work) }
        const reclaimed = leases.reclaim(subject)
        const attempted = attempt(work, subject, handler)
        return reclaimed === undefined ? attempted : Effect.andThen(reclaimed, attempted)
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
