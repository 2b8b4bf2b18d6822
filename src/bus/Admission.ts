/**
 * Whether an event is attempted at all: not when it was handled before, when somebody else has it, beyond
 * the rate limit, or while the breaker is open. None of these is an attempt.
 */
import { Effect, type Exit } from "effect"
import type * as Log from "../observe/Log.ts"
import * as Breaker from "./Breaker.ts"
import * as Idempotency from "./Idempotency.ts"
import type { MarkStore } from "./Marks.ts"
import * as RateLimit from "./RateLimit.ts"
import type { Work } from "./Work.ts"

export type Refusal =
  /** It was handled before. */
  | { readonly _tag: "Duplicate" }
  /** This one cannot be handled for so long. */
  | { readonly _tag: "NotNow"; readonly millis: number }
  /** None can be for so long: the breaker is open. */
  | { readonly _tag: "Open"; readonly millis: number }
  /** None may be for so long: the rate limit is reached. */
  | { readonly _tag: "Enough"; readonly millis: number }

export interface Admission {
  /** Runs what `handler` makes of the fence, unless it is refused. */
  readonly admit: <A, E, R>(
    work: Work,
    handler: (fence: number | undefined) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, unknown, R>
  /** Why nothing was attempted, if this exit says so. */
  readonly refusal: (exit: Exit.Exit<unknown, unknown>) => Refusal | undefined
}

/** What the processes of a subscriber decide by together, where the bus has it. */
export interface SharedStores {
  readonly breakers: Breaker.Store | undefined
  readonly limits: RateLimit.Store | undefined
}

/** Those of the context. */
export const sharedStores: Effect.Effect<SharedStores> = Effect.all({
  breakers: Breaker.shared,
  limits: RateLimit.shared
})

/** Undefined for a subscriber that attempts everything. */
export const make = Effect.fnUntraced(function* (options: {
  readonly subscriber: {
    readonly name: string
    readonly breaker: Breaker.BreakerOptions | undefined
    readonly rateLimit: RateLimit.RateLimitOptions | undefined
    readonly idempotent: boolean
    readonly onStoreDown: Idempotency.OnStoreDown
    readonly deadlineMillis: number
  }
  readonly namespace: string
  readonly marks: MarkStore | undefined
  readonly stores: SharedStores
  readonly process: string
  readonly log: Log.Log
}) {
  const { log, marks, namespace, process, stores, subscriber } = options
  const key = `${namespace}.${subscriber.name}`
  const breaker =
    subscriber.breaker === undefined ? undefined : yield* Breaker.make(key, subscriber.breaker, stores.breakers)
  const rate =
    subscriber.rateLimit === undefined ? undefined : yield* RateLimit.make(key, subscriber.rateLimit, stores.limits)
  const idempotency =
    subscriber.idempotent && marks !== undefined
      ? Idempotency.make(marks, { ...subscriber, subscriber: subscriber.name, process, log })
      : undefined
  if (breaker === undefined && rate === undefined && idempotency === undefined) return undefined
  const admission: Admission = {
    admit: <A, E, R>(work: Work, handler: (fence: number | undefined) => Effect.Effect<A, E, R>) => {
      const guarded = (fence: number | undefined): Effect.Effect<A, unknown, R> => {
        const tried: Effect.Effect<A, unknown, R> =
          breaker === undefined ? handler(fence) : breaker.guard(handler(fence), () => work.timedOut)
        return rate === undefined ? tried : rate.guard(tried)
      }
      return idempotency === undefined ? guarded(undefined) : idempotency.once(work, guarded)
    },
    refusal: (exit) => {
      const held = idempotency === undefined ? undefined : Idempotency.refusal(exit)
      if (held !== undefined)
        return held._tag === "AlreadyHandled" ? { _tag: "Duplicate" } : { _tag: "NotNow", millis: held.millis }
      const enough = rate?.refusal(exit)
      if (enough !== undefined) return { _tag: "Enough", millis: enough }
      const millis = breaker?.refusal(exit)
      return millis === undefined ? undefined : { _tag: "Open", millis }
    }
  }
  return admission
})
