/**
 * Decides whether an event is attempted at all. It is not when it was handled before, when another process has
 * claimed it, beyond the rate limit, and while the breaker is open. None of these counts as an attempt.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Log from "../../observe/Log.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Work } from "../delivery/Work.ts"
import type { BreakerOptions, RateLimitOptions } from "../subscriber/SubscriberOptions.ts"
import * as Breaker from "./Breaker.ts"
import * as Idempotency from "./Idempotency.ts"
import type { Leases } from "./Leases.ts"
import * as RateLimit from "./RateLimit.ts"

/** Why an event was not attempted, and for how long it cannot be. */
export type Refusal =
  /** It was handled before. */
  | { readonly _tag: "Duplicate" }
  /** Another event with its identity was handled before. */
  | { readonly _tag: "IdReused" }
  /** Another process has claimed this event, or, if not `isHeld`, nobody can be asked. */
  | { readonly _tag: "Claimed"; readonly millis: number; readonly isHeld: boolean }
  /** The breaker is open, for every event. */
  | { readonly _tag: "BreakerOpen"; readonly millis: number }
  /** The rate limit is reached, for every event. */
  | { readonly _tag: "RateLimited"; readonly millis: number }

/** A refusal that holds for every event of the subscriber. */
export type SubscriberRefusal = Extract<Refusal, { readonly _tag: "BreakerOpen" | "RateLimited" }>

export interface Admission {
  /** Runs the handler with its fence, unless the event is refused. */
  readonly admit: <A, E, R>(
    work: Work,
    handler: (fence: number | undefined) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, unknown, R>
  /** Whether a store is asked if the event was handled before. */
  readonly asksWhetherHandled: boolean
  /** Why nothing was attempted, if this exit means that. */
  readonly refusal: (exit: Exit.Exit<unknown, unknown>) => Refusal | undefined
}

/** The stores through which the processes of a subscriber decide together, where the bus has them. */
export interface SharedStores {
  readonly breakers: Breaker.Store | undefined
  readonly limits: RateLimit.Store | undefined
}

/** The stores of the context. */
export const sharedStores: Effect.Effect<SharedStores> = Effect.all({
  breakers: Breaker.shared,
  limits: RateLimit.shared
})

/** Returns undefined for a subscriber that attempts every event. */
export const make = Effect.fnUntraced(function* (options: {
  readonly subscriber: {
    readonly name: string
    readonly breaker: BreakerOptions | undefined
    readonly rateLimit: RateLimitOptions | undefined
    readonly idempotent: boolean
    readonly onStoreDown: Idempotency.OnStoreDown
    readonly deadlineMillis: number
  }
  readonly namespace: string
  readonly leases: Leases | undefined
  readonly stores: SharedStores
  readonly process: string
  readonly log: Log.Log
}) {
  const now = yield* Monotonic.make
  const { leases, log, namespace, process, stores, subscriber } = options
  const key = `${namespace}.${subscriber.name}`
  const breaker =
    subscriber.breaker === undefined ? undefined : yield* Breaker.make(key, subscriber.breaker, stores.breakers)
  const rate =
    subscriber.rateLimit === undefined ? undefined : yield* RateLimit.make(key, subscriber.rateLimit, stores.limits)
  const idempotency =
    subscriber.idempotent && leases !== undefined
      ? Idempotency.make(leases, { ...subscriber, subscriber: subscriber.name, process, log })
      : undefined
  if (breaker === undefined && rate === undefined && idempotency === undefined) return undefined
  const admission: Admission = {
    admit: <A, E, R>(work: Work, handler: (fence: number | undefined) => Effect.Effect<A, E, R>) => {
      const asks = (isAsking: boolean): void => {
        work.awaitsStore = isAsking
        work.startedAt = now()
      }
      // What the stores take, before and after the handler, is no part of its deadline.
      const timed = (fence: number | undefined): Effect.Effect<A, E, R> =>
        Effect.suspend(() => {
          asks(false)
          return Effect.onExit(handler(fence), () => Effect.sync(() => asks(true)))
        })
      const guarded = (fence: number | undefined): Effect.Effect<A, unknown, R> => {
        const attempted: Effect.Effect<A, unknown, R> =
          breaker === undefined ? timed(fence) : breaker.guard(timed(fence), () => work.timedOut)
        return rate === undefined ? attempted : rate.guard(attempted)
      }
      work.awaitsStore = true
      return idempotency === undefined ? guarded(undefined) : idempotency.once(work, guarded)
    },
    asksWhetherHandled: idempotency !== undefined,
    refusal: (exit) => {
      const held = idempotency === undefined ? undefined : Idempotency.refusal(exit)
      switch (held?._tag) {
        case "AlreadyHandled":
          return { _tag: "Duplicate" }
        case "IdReused":
          return { _tag: "IdReused" }
        case "HeldElsewhere":
          return { _tag: "Claimed", millis: held.millis, isHeld: held.isHeld }
      }
      const limited = rate?.refusal(exit)
      if (limited !== undefined) return { _tag: "RateLimited", millis: limited }
      const open = breaker?.refusal(exit)
      return open === undefined ? undefined : { _tag: "BreakerOpen", millis: open }
    }
  }
  return admission
})
