/**
 * The options of a subscriber, checked and with every default filled in, before anything is declared on the
 * broker.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Event from "../../event/Event.ts"
import { type ForeignEvents, isForeign } from "./ForeignEvents.ts"
import type { AttemptFailure, Later, Reject } from "./HandlerError.ts"
import * as OptionChecks from "./OptionChecks.ts"
import * as OptionKinds from "./OptionKinds.ts"
import * as RetryDelay from "./RetryDelay.ts"
import { SubscribeError, SubscriberInvalid } from "./SubscribeError.ts"
import {
  type AllOptions,
  type BatchHandler,
  type BreakerOptions,
  type Handler,
  isMatch,
  type RateLimitOptions,
  type RestartOptions,
  type Single
} from "./SubscriberOptions.ts"

/** The handler as the user wrote it, for single events or for batches. */
export type Plan<E extends Event.Any, Err, R> =
  | { readonly _tag: "Single"; readonly handler: Handler<E, Err, R> }
  | {
      readonly _tag: "Batch"
      readonly handler: BatchHandler<E, Err, R>
      readonly size: number
      readonly maxWaitMillis: number
      readonly deadlineMillis: number
    }

export interface Settled<E extends Event.Any, Err, R> {
  readonly name: string
  readonly patterns: ReadonlyArray<string>
  readonly contracts: ReadonlyMap<string, E>
  /** Where its events come from if they are those of another system. */
  readonly foreign: ForeignEvents<E> | undefined
  readonly plan: Plan<E, Err, R>
  readonly retry: RetryDelay.RetryPolicy<Exclude<Single<Err>, Reject | Later> | AttemptFailure>
  readonly concurrency: number
  readonly ordering: "none" | "key"
  readonly onBlocked: "dead-letter" | "park"
  /** Whether its parked queue is declared when it starts, and not only when the first key is parked. */
  readonly parksFromStart: boolean
  /** Counted from the start of an attempt, which for a batch begins with collecting it. */
  readonly deadlineMillis: number
  readonly prefetch: number
  /** The prefetch of its present consumer: smaller while large bodies come. */
  readonly window: { size: number }
  /** Names of events that are acknowledged without a handler. */
  readonly retired: ReadonlySet<string>
  readonly announceDeadLetters: boolean
  readonly maxPostponed: number
  readonly traceRelation: "parent" | "link" | undefined
  readonly breaker: BreakerOptions | undefined
  readonly rateLimit: RateLimitOptions | undefined
  readonly restarts: RestartOptions
  readonly idempotent: boolean
  /** Whether its handler runs in a transaction with the mark of the event. */
  readonly inbox: boolean
  readonly onStoreDown: "handle" | "wait"
  /** A subscriber of one process: it has no durable queue, no retries on the broker and no dead letters. */
  readonly ephemeral: boolean
}

const smallestDefaultPrefetch = 32
const largestDefaultPrefetch = 250

/** By key the window is as large as it may be, since few of its events can run at once. */
const defaultPrefetch = (ordering: "none" | "key", concurrency: number, batchSize: number): number =>
  ordering === "key"
    ? largestDefaultPrefetch
    : Math.min(Math.max(2 * concurrency * batchSize, smallestDefaultPrefetch), largestDefaultPrefetch)

/** Fills in the defaults. Fails with the first option that cannot work. */
export const settle = <E extends Event.Any, Err, R>(
  name: string,
  options: AllOptions<E, Err, R>,
  ephemeral: boolean
): Result.Result<Settled<E, Err, R>, SubscribeError> =>
  // The name comes from outside of TypeScript, too.
  Result.mapError(check(name, options, ephemeral), (reason) => new SubscribeError({ subscriber: String(name), reason }))

const check = <E extends Event.Any, Err, R>(
  name: string,
  options: AllOptions<E, Err, R>,
  ephemeral: boolean
): OptionChecks.Checked<Settled<E, Err, R>> =>
  Result.gen(function* () {
    yield* OptionChecks.name(name)
    yield* OptionKinds.check(options, ephemeral)
    const { events, ordering = "none" } = options
    const contracts = yield* OptionChecks.contracts(events)
    const onBlocked = yield* OptionChecks.onBlocked(options.onBlocked, { ordering, ephemeral })
    const concurrency = yield* OptionChecks.concurrency(options.concurrency ?? (options.batch === undefined ? 16 : 1))
    const { size, waitMillis } = yield* OptionChecks.batch(options.batch)
    // The batches that run at once must fit into the window, or none of them would ever be full.
    const inBatches = options.batch === undefined ? 1 : concurrency * size
    const prefetch = yield* OptionChecks.prefetch(
      options.prefetch ??
        Math.min(Math.max(defaultPrefetch(ordering, concurrency, size), inBatches), OptionChecks.maxPrefetch),
      size
    )
    const { deliveryMillis, handlerMillis } = yield* OptionChecks.deadline(
      options.deadline ?? "60 seconds",
      options.batch === undefined ? undefined : waitMillis
    )
    const plan: Plan<E, Err, R> =
      options.batch === undefined
        ? { _tag: "Single", handler: options.handler }
        : { _tag: "Batch", handler: options.handler, size, maxWaitMillis: waitMillis, deadlineMillis: handlerMillis }
    return {
      name,
      patterns: isForeign(events) ? [] : isMatch(events) ? [events.pattern] : [...contracts.keys()],
      foreign: isForeign<E>(events) ? events : undefined,
      contracts,
      plan,
      retry: options.retry ?? RetryDelay.defaultPolicy,
      concurrency,
      ordering,
      onBlocked,
      parksFromStart: options.onBlocked === "park",
      deadlineMillis: deliveryMillis,
      prefetch,
      window: { size: prefetch },
      retired: yield* OptionChecks.retired(options.retired ?? [], contracts),
      announceDeadLetters: options.announceDeadLetters ?? true,
      maxPostponed: yield* OptionChecks.maxPostponed(options.maxPostponed ?? 100),
      traceRelation: options.traceRelation,
      breaker: yield* OptionChecks.breaker(options.breaker),
      rateLimit: yield* OptionChecks.rateLimit(options.rateLimit),
      restarts: yield* OptionChecks.restarts(options.restarts ?? {}),
      idempotent: options.idempotent === true && !ephemeral,
      inbox: yield* OptionChecks.inbox(options.inbox === true, { ephemeral, inBatches: options.batch !== undefined }),
      onStoreDown: options.onStoreDown ?? "handle",
      ephemeral
    }
  })

/** A key that is not parked waits in its lane, so its Schedule must not wait longer than a delivery may be held. */
export const checkSchedule = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(settled: Settled<E, Err, R>) {
  if (settled.ordering !== "key" || settled.onBlocked === "park") return
  const longest = yield* RetryDelay.longestStep(settled.retry)
  if (longest === undefined || longest <= OptionChecks.maxInPlaceMillis) return
  const seconds = { step: Math.round(longest / 1000), most: OptionChecks.maxInPlaceMillis / 1000 }
  return yield* new SubscribeError({
    subscriber: settled.name,
    reason: new SubscriberInvalid({
      option: "retry",
      problem: `a step of ${seconds.step} seconds is longer than the ${seconds.most} that a key may wait in its lane`,
      remedy: 'Use shorter steps, onBlocked "park", or ordering "none", where a retry waits on the broker'
    })
  })
})

/** The error of an idempotent subscriber on a bus without a claim store. */
export const withoutStore = (subscriber: string): SubscribeError =>
  new SubscribeError({
    subscriber,
    reason: new SubscriberInvalid({
      option: "idempotent",
      problem: "no store remembers what was handled",
      remedy: "Provide a `ClaimStore`; every live wiring does"
    })
  })

/** The error of a subscriber whose name another one of the same bus has, which does something else. */
export const nameInUse = (subscriber: string, difference: string): SubscribeError =>
  new SubscribeError({
    subscriber,
    reason: new SubscriberInvalid({
      option: "name",
      problem: `a subscriber of this name runs here with ${difference}; each event would reach one of the two by chance`,
      remedy: "Give each its own name, or stop the other one first; to handle more events at once, raise `concurrency`"
    })
  })
