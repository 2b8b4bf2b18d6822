/**
 * What a user writes of a subscriber, with its defaults and checks, and what one can ask of it while
 * it runs. Supervisor.ts runs it.
 */
import { Duration, Effect, Option, type Scope, type SubscriptionRef } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type * as EventGroup from "../event/EventGroup.ts"
import { nameFault } from "../event/Name.ts"
import type { Headers } from "./Broker.ts"
import type { BreakerOptions } from "./Breaker.ts"
import { type AttemptFailure, type Later, type Reject, SubscribeError, SubscriberInvalid } from "./BusError.ts"
import type { RateLimitOptions } from "./RateLimit.ts"
import type { RestartOptions } from "./Restarts.ts"
import type { SubscriberTree } from "./Tree.ts"
import * as Retry from "./Retry.ts"

/** What the runtime knows about the delivery of an event. */
export interface DeliveryInfo {
  readonly subscriber: string
  /** 1 for the first attempt; after a crash a lower bound. */
  readonly attempt: number
  readonly firstFailure: Date | undefined
  /** Whether it may have been handled before. */
  readonly redelivered: boolean
  /** How often it was replayed from the dead-letter queue. */
  readonly replays: number
  /** The publisher's own headers. */
  readonly headers: Headers
  /** With `idempotent`: grows with each claim of an event, so that a store can refuse who is late. */
  readonly fence: number | undefined
}

export type Handler<E extends Event.Any, Err, R> = (
  event: Envelope.Of<E>,
  delivery: DeliveryInfo
) => Effect.Effect<unknown, Err, R>

/** Contracts, or the part of a group that matches a pattern. */
export type Events<E extends Event.Any> = ReadonlyArray<E> | EventGroup.Match<E>

export interface SubscriberOptions<E extends Event.Any, Err, R> {
  readonly events: Events<E>
  /**
   * May fail with anything: that is a failed attempt. `Reject` dead-letters at once, `Later` puts the
   * event off without counting. Each delivery has a Scope of its own.
   */
  readonly handler: Handler<E, Err, R>
  /** When a failed attempt is made again. Default: after 1, 2, 4, 8 and 16 seconds. */
  readonly retry?: Retry.RetryPolicy<Exclude<Err, Reject | Later> | AttemptFailure>
  /** Handlers at work at once. Default 16. */
  readonly concurrency?: number
  /**
   * `"key"`: events of one key one at a time and in order, other keys beside it. Part of the queue's
   * identity: changing it needs a new name. Default `"none"`.
   */
  readonly ordering?: "none" | "key"
  /** Longest time for one attempt. Default 60 seconds, well below the broker's 30 minutes. */
  readonly deadline?: Duration.Input
  /** Deliveries held at once. Default: twice the concurrency, 32 to 250; 250 with `ordering: "key"`. */
  readonly prefetch?: number
  /** What becomes of events that were not asked for (a binding of an older version). Default `"skip"`. */
  readonly unknown?: "skip" | "dead-letter"
  /** Whether other processes are told of its dead letters by `bus.event.dead-lettered`. Default true. */
  readonly announce?: boolean
  /**
   * Stops after failed attempts in a row instead of burning the attempts of the whole backlog, and probes
   * with one event now and then. Default: none.
   */
  readonly breaker?: BreakerOptions
  /** How often it may start again without progress. Default: 10 times in 10 minutes, then it stays Failed. */
  readonly restarts?: RestartOptions
  /** Attempts at most so many events in a time; more wait. Default: none. */
  readonly rateLimit?: RateLimitOptions
  /**
   * Handles an event once although it may come more often: what was handled is remembered for a day by
   * the store of the cache (Redis, or the process itself). Costs two commands an event. Default false.
   */
  readonly idempotent?: boolean
  /** With `idempotent`, while the store does not answer: handle all the same (default), or wait for it. */
  readonly onStoreDown?: "handle" | "wait"
  /** How often one event may be put off by `Later`. Default 100, and 24 hours since the first time. */
  readonly maxPostponed?: number
}

export type Status = "Starting" | "Running" | "Paused" | "Restarting" | "Draining" | "Stopped" | "Failed"

export interface SubscriberStatus {
  readonly _tag: Status
  readonly since: Date
  readonly restarts: number
  /** Why it restarts or failed. */
  readonly cause: string | undefined
}

export interface SubscriberStats {
  /** Deliveries held: running, waiting for a retry, or not started. */
  readonly held: number
  readonly inFlight: number
  readonly handled: number
  readonly retried: number
  readonly deadLettered: number
  readonly postponed: number
  readonly skipped: number
  /** With `idempotent`: deliveries of what was handled before. */
  readonly duplicates: number
  /** Deliveries given back unsettled. */
  readonly returns: number
  readonly zombies: number
  /** Keys that have something to do. */
  readonly lanes: number
}

/** A registered subscriber. It ends with the scope it was made in. */
export interface Subscription {
  readonly name: string
  readonly status: SubscriptionRef.SubscriptionRef<SubscriberStatus>
  readonly stats: Effect.Effect<SubscriberStats>
  /** Status, figures, lag and lanes at this moment. */
  readonly tree: Effect.Effect<SubscriberTree>
  /** Stops taking, finishes what runs, gives back the rest. True when nothing had to be interrupted. */
  readonly drain: Effect.Effect<boolean>
  /** Ends at once: what runs is interrupted and given back, which is not a failed attempt. */
  readonly stop: Effect.Effect<void>
  /**
   * Starts no handler until `resume`; what runs ends. What was delivered is kept for ten minutes, since
   * giving it back costs each event one of its lives, and then goes back to the queue.
   */
  readonly pause: Effect.Effect<void>
  /** What was kept runs first. */
  readonly resume: Effect.Effect<void>
  /** Handlers at work at once, from now on. More than the prefetch is of no use. */
  readonly setConcurrency: (count: number) => Effect.Effect<void, SubscribeError>
}

/** Options with every default filled in and checked. */
export interface Settled<E extends Event.Any, Err, R> {
  readonly name: string
  readonly patterns: ReadonlyArray<string>
  readonly contracts: ReadonlyMap<string, E>
  readonly handler: Handler<E, Err, R>
  readonly retry: Retry.RetryPolicy<Exclude<Err, Reject | Later> | AttemptFailure>
  readonly concurrency: number
  readonly ordering: "none" | "key"
  readonly deadlineMillis: number
  readonly prefetch: number
  readonly unknown: "skip" | "dead-letter"
  readonly announce: boolean
  readonly maxPostponed: number
  readonly breaker: BreakerOptions | undefined
  readonly rateLimit: RateLimitOptions | undefined
  readonly restarts: RestartOptions
  readonly idempotent: boolean
  readonly onStoreDown: "handle" | "wait"
  /** A tail of one process: no queue of its own, no retries on the broker, no dead letters. */
  readonly ephemeral: boolean
}

export const isMatch = <E extends Event.Any>(events: Events<E>): events is EventGroup.Match<E> => "pattern" in events

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
  const { concurrency = 16, events, handler, ordering = "none" } = options
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
  const tooFew = concurrencyFault(concurrency)
  if (tooFew !== undefined) return new SubscribeError({ subscriber: name, reason: tooFew })
  const prefetch =
    options.prefetch ?? (ordering === "key" ? maxPrefetch : Math.min(Math.max(2 * concurrency, 32), maxPrefetch))
  if (!isCount(prefetch) || prefetch > 65_535)
    return wrong(
      "prefetch",
      `${prefetch} is not a whole number from 1 to 65535`,
      "Give the number of deliveries to hold at once"
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
      `${restarts.max} restarts within ${String(restarts.within)} is no bound`,
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
    handler,
    retry: options.retry ?? Retry.defaultPolicy,
    concurrency,
    ordering,
    deadlineMillis,
    prefetch,
    unknown: options.unknown ?? "skip",
    announce: options.announce ?? true,
    maxPostponed,
    breaker,
    rateLimit,
    restarts,
    idempotent: options.idempotent === true && !ephemeral,
    onStoreDown: options.onStoreDown ?? "handle",
    ephemeral
  }
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

/** What a handler may need beside its own services: each delivery brings a Scope. */
export type Required<R> = Exclude<R, Scope.Scope>

/** A lane waits in place, so a keyed Schedule must not wait longer than a delivery may be held. */
export const checkSchedule = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(settled: Settled<E, Err, R>) {
  if (settled.ordering !== "key") return
  const longest = yield* Retry.longestStep(settled.retry)
  if (longest !== undefined && longest > maxInPlaceMillis) {
    return yield* new SubscribeError({
      subscriber: settled.name,
      reason: new SubscriberInvalid({
        option: "retry",
        problem: `a step of ${Math.round(longest / 1000)} seconds is longer than the ${maxInPlaceMillis / 1000} that a key may wait in its lane`,
        remedy: 'Use shorter steps, or ordering "none", where a retry waits on the broker'
      })
    })
  }
})
