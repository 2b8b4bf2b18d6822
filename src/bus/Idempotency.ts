/**
 * Handles an event once although it may come more often: it is claimed before its handler runs and marked
 * as done afterwards. What is marked is acknowledged without running; what somebody else has claimed
 * waits for the end of that claim.
 *
 * A process that dies between the handler and the mark leaves an event that is handled once more: only a
 * transaction around both could prevent that.
 */
import { Cause, Effect, Exit, Option, Schema } from "effect"
import type * as Log from "../observe/Log.ts"
import type { MarkStore, Subject } from "./Marks.ts"
import type { Work } from "./Work.ts"

/** Not attempted: it was handled before. */
export class AlreadyHandled extends Schema.TaggedError<AlreadyHandled>()("AlreadyHandled", {}) {}

/** Not attempted: somebody else has it, or the store that knows does not answer. */
export class HeldElsewhere extends Schema.TaggedError<HeldElsewhere>()("HeldElsewhere", { millis: Schema.Finite }) {}

export type OnStoreDown = "handle" | "wait"

export interface Idempotency {
  /** Runs what `handler` makes of the fence, unless it must not run. */
  readonly once: <A, E, R>(
    work: Work,
    handler: (fence: number | undefined) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, unknown, R>
}

/** What a claim outlives the handler's deadline by. */
const graceMillis = 10_000
const rememberedMillis = 24 * 60 * 60 * 1000
const askAgainMillis = 1000

export const make = (
  marks: MarkStore,
  options: {
    readonly subscriber: string
    readonly deadlineMillis: number
    readonly onStoreDown: OnStoreDown
    /** Of this process: no other one has it. */
    readonly process: string
    readonly log: Log.Log
  }
): Idempotency => {
  const { deadlineMillis, log, onStoreDown, process, subscriber } = options
  let claims = 0
  const told = (detail: string): void => log.warning("idempotency: the store does not answer", { subscriber, detail })

  return {
    once: <A, E, R>(work: Work, handler: (fence: number | undefined) => Effect.Effect<A, E, R>) =>
      Effect.suspend((): Effect.Effect<A, unknown, R> => {
        const subject: Subject = { subscriber, id: work.event.id }
        const claimant = `${process}.${++claims}`
        const settle = (exit: Exit.Exit<A, E>): Effect.Effect<void> => {
          const settled =
            Exit.isSuccess(exit) || work.achieved
              ? Effect.asVoid(marks.done(subject, claimant, rememberedMillis))
              : marks.release(subject, claimant)
          return Effect.catch(settled, (error) => Effect.sync(() => told(error.message)))
        }
        const asked = marks.claim(subject, claimant, deadlineMillis + graceMillis)
        return Effect.flatMap(
          Effect.catch(asked, (error) => {
            told(error.message)
            return onStoreDown === "handle"
              ? Effect.undefined
              : Effect.fail(new HeldElsewhere({ millis: askAgainMillis }))
          }),
          (claim): Effect.Effect<A, unknown, R> => {
            if (claim === undefined) return handler(undefined)
            if (claim._tag === "Done") return Effect.fail(new AlreadyHandled())
            if (claim._tag === "Held") return Effect.fail(new HeldElsewhere({ millis: Math.max(1, claim.millis) }))
            return Effect.onExit(handler(claim.fence), settle)
          }
        )
      })
  }
}

/** How an exit says that nothing was attempted. */
export const refusal = (exit: Exit.Exit<unknown, unknown>): AlreadyHandled | HeldElsewhere | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return error instanceof AlreadyHandled || error instanceof HeldElsewhere ? error : undefined
}
