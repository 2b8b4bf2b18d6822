/**
 * The options of a subscriber with every default filled in, checked before anything is declared: what
 * cannot be fails at once with the option and the remedy.
 */
import { Duration, Effect, Option } from "effect"
import type * as Event from "../event/Event.ts"
import { nameFault } from "../event/Name.ts"
import type { BreakerOptions } from "./Breaker.ts"
import { type AttemptFailure, type Later, type Reject, SubscribeError, SubscriberInvalid } from "./BusError.ts"
import type { RateLimitOptions } from "./RateLimit.ts"
import type { RestartOptions } from "./Restarts.ts"
import * as Retry from "./Retry.ts"
import * as Batcher from "./Batcher.ts"
import type { Plan } from "./Behaviour.ts"
import { type BatchOptions, isMatch, type Single, type SubscriberOptions } from "./SubscriberOptions.ts"

/** Options with every default filled in and checked. */
export interface Settled<E extends Event.Any, Err, R> {
  readonly name: string
  readonly patterns: ReadonlyArray<string>
  readonly contracts: ReadonlyMap<string, E>
  readonly behaviour: Plan<E, Err, R>
  readonly retry: Retry.RetryPolicy<Exclude<Single<Err>, Reject | Later> | AttemptFailure>
  readonly concurrency: number
  readonly ordering: "none" | "key"
  readonly onBlocked: "dead-letter" | "park"
  /** From the start of an attempt; in a batch it waits for others first. */
  readonly deadlineMillis: number
  readonly prefetch: number
  readonly unknown: "skip" | "dead-letter"
  readonly announce: boolean
  readonly maxPostponed: number
  readonly traceRelation: "parent" | "link" | undefined
  readonly breaker: BreakerOptions | undefined
  readonly rateLimit: RateLimitOptions | undefined
  readonly restarts: RestartOptions
  readonly idempotent: boolean
  readonly onStoreDown: "handle" | "wait"
  /** A tail of one process: no queue of its own, no retries on the broker, no dead letters. */
  readonly ephemeral: boolean
}

const maxPrefetch = 250
/** A lane that waits holds a delivery; the broker's own limit for that is 30 minutes. */
export const maxInPlaceMillis = 10 * 60 * 1000

/** Fills in the defaults, or says which option cannot be. */
export const settle = <E extends Event.Any, Err, R>(
  name: string,
  options: SubscriberOptions<E, Err, R>,
  ephemeral: boolean
): Settled<E, Err, R> | SubscribeError => {
  const wrong = (option: string, problem: string, remedy: string): SubscribeError =>
    // Names come from outside of TypeScript too.
    new SubscribeError({ subscriber: String(name), reason: new SubscriberInvalid({ option, problem, remedy }) })
  const fault = nameFault(name)
  if (fault !== undefined) return wrong("name", fault, "Use words of a-z, 0-9 and - between dots, at most 200 bytes")
  const { batch, concurrency = batch === undefined ? 16 : 1, events, ordering = "none" } = options
  const contracts = isMatch(events) ? events.events : events
  if (contracts.length === 0) return wrong("events", "no event is named", "Name at least one contract")
  const byName = new Map<string, E>()
  for (const contract of contracts) {
    const known = byName.get(contract.name)
    if (known !== undefined && known !== contract) {
      return wrong(
        "events",
        `two contracts are called "${contract.name}"`,
        "Keep the newest: it reads the older versions"
      )
    }
    byName.set(contract.name, contract)
  }
  const { onBlocked = "dead-letter" } = options
  if (onBlocked === "park" && (ordering !== "key" || ephemeral)) {
    return wrong(
      "onBlocked",
      "nothing is parked without order: a retry holds nobody up",
      'Leave it out, or say ordering: "key"'
    )
  }
  const tooFew = concurrencyFault(concurrency)
  if (tooFew !== undefined) return new SubscribeError({ subscriber: name, reason: tooFew })
  const unfit = batch === undefined ? undefined : batchFault(batch)
  if (unfit !== undefined) return new SubscribeError({ subscriber: name, reason: unfit })
  const { size = 1, within = 0 } = batch ?? {}
  const usual = ordering === "key" ? maxPrefetch : Math.min(Math.max(2 * concurrency * size, 32), maxPrefetch)
  const prefetch = options.prefetch ?? Math.min(Math.max(usual, batch === undefined ? 1 : concurrency * size), 65_535)
  if (!isCount(prefetch) || prefetch > 65_535)
    return wrong(
      "prefetch",
      `${prefetch} is not a whole number from 1 to 65535`,
      "Give the number of deliveries to hold at once"
    )
  if (prefetch < size)
    return wrong(
      "batch",
      `a batch of ${size} is never full with a prefetch of ${prefetch}`,
      "Lower `size`, or raise `prefetch` above it"
    )
  const deadlineMillis = Option.match(Duration.fromInput(options.deadline ?? "60 seconds"), {
    onNone: () => Number.NaN,
    onSome: Duration.toMillis
  })
  if (!(deadlineMillis > 0 && deadlineMillis <= 25 * 60 * 1000)) {
    return wrong(
      "deadline",
      `${deadlineMillis} ms is not above 0 and at most 25 minutes`,
      "The broker takes a delivery back after 30 minutes"
    )
  }
  const withinMillis = Option.match(Duration.fromInput(within), { onNone: () => 0, onSome: Duration.toMillis })
  // Collected, behind a batch that uses up its time, and at work itself.
  const batchMillis = withinMillis + 2 * (deadlineMillis + Batcher.graceMillis)
  if (batch !== undefined && batchMillis > 25 * 60 * 1000) {
    return wrong(
      "deadline",
      `${deadlineMillis} ms is too long for a batch, which may wait for another one first`,
      "Give 12 minutes at most: the broker takes a delivery back after 30 minutes"
    )
  }
  const { breaker } = options
  if (breaker?.failures !== undefined && !isCount(breaker.failures)) {
    return wrong(
      "breaker",
      `${breaker.failures} failures is not a whole number from 1 up`,
      "Give how many failed attempts in a row open it"
    )
  }
  const { rateLimit, restarts = {} } = options
  if (!(isCount(restarts.max ?? 1) && isPositive(restarts.within ?? 1))) {
    return wrong(
      "restarts",
      `${restarts.max ?? 10} restarts within ${String(restarts.within ?? "10 minutes")} is no bound`,
      "Give a whole number from 1 up, and a time above 0"
    )
  }
  if (rateLimit !== undefined && !(isCount(rateLimit.limit) && isPositive(rateLimit.window))) {
    return wrong(
      "rateLimit",
      `${rateLimit.limit} events in a window of ${String(rateLimit.window)} is no limit`,
      "Give a whole number of events from 1 up, and a window above 0"
    )
  }
  const maxPostponed = options.maxPostponed ?? 100
  if (!isCount(maxPostponed))
    return wrong(
      "maxPostponed",
      `${maxPostponed} is not a whole number from 1 up`,
      "Give how often an event may be put off"
    )
  return {
    name,
    patterns: isMatch(events) ? [events.pattern] : [...byName.keys()],
    contracts: byName,
    behaviour:
      options.batch === undefined
        ? { _tag: "Single", handler: options.handler }
        : { _tag: "Batch", handler: options.handler, size, withinMillis, deadlineMillis },
    retry: options.retry ?? Retry.defaultPolicy,
    concurrency,
    ordering,
    onBlocked,
    deadlineMillis: batch === undefined ? deadlineMillis : batchMillis,
    prefetch,
    unknown: options.unknown ?? "skip",
    announce: options.announce ?? true,
    maxPostponed,
    traceRelation: options.traceRelation,
    breaker,
    rateLimit,
    restarts,
    idempotent: options.idempotent === true && !ephemeral,
    onStoreDown: options.onStoreDown ?? "handle",
    ephemeral
  }
}

const batchFault = ({ size, within }: BatchOptions): SubscriberInvalid | undefined => {
  if (!isCount(size) || size > 10_000)
    return new SubscriberInvalid({
      option: "batch",
      problem: `a size of ${size} is not a whole number from 1 to 10000`,
      remedy: "Give the number of events that a handler gets at most"
    })
  const millis = Option.map(Duration.fromInput(within), Duration.toMillis)
  return Option.exists(millis, (value) => value > 0 && value <= 5 * 60 * 1000)
    ? undefined
    : new SubscriberInvalid({
        option: "batch",
        problem: `within ${String(within)} is not above 0 and at most 5 minutes`,
        remedy: "Give the longest time that an event waits for others, as short as the load allows"
      })
}

export const concurrencyFault = (concurrency: number): SubscriberInvalid | undefined =>
  isCount(concurrency)
    ? undefined
    : new SubscriberInvalid({
        option: "concurrency",
        problem: `${concurrency} is not a whole number from 1 up`,
        remedy: "Give the number of handlers at work at once"
      })

const isPositive = (duration: Duration.Input): boolean =>
  Option.exists(Duration.fromInput(duration), (value) => Duration.isFinite(value) && Duration.toMillis(value) > 0)

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1

/** A lane waits in place, so a keyed Schedule must not wait longer than a delivery may be held. */
export const checkSchedule = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(settled: Settled<E, Err, R>) {
  if (settled.ordering !== "key" || settled.onBlocked === "park") return
  const longest = yield* Retry.longestStep(settled.retry)
  if (longest !== undefined && longest > maxInPlaceMillis) {
    return yield* new SubscribeError({
      subscriber: settled.name,
      reason: new SubscriberInvalid({
        option: "retry",
        problem: `a step of ${Math.round(longest / 1000)} seconds is longer than the ${maxInPlaceMillis / 1000} that a key may wait in its lane`,
        remedy: 'Use shorter steps, onBlocked "park", or ordering "none", where a retry waits on the broker'
      })
    })
  }
})

export const withoutStore = (subscriber: string): SubscribeError =>
  new SubscribeError({
    subscriber,
    reason: new SubscriberInvalid({
      option: "idempotent",
      problem: "there is no store that remembers what was handled",
      remedy: "Provide `Marks`; every live wiring does"
    })
  })
