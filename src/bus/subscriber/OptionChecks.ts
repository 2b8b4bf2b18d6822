/**
 * Checks of single subscriber options. Each returns the value to use, or a `SubscriberInvalid` that names the
 * option, the problem and the remedy: callers without types may pass anything.
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type * as Event from "../../event/Event.ts"
import { nameFault } from "../../event/Name.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
import { SubscriberInvalid } from "./SubscribeError.ts"
import {
  type BatchOptions,
  type BreakerOptions,
  type Events,
  listOf,
  type RateLimitOptions,
  type RestartOptions
} from "./SubscriberOptions.ts"

export type Checked<A> = Result.Result<A, SubscriberInvalid>

const maxDeadlineMillis = 25 * 60 * 1000
const maxBatchWaitMillis = 5 * 60 * 1000
const maxBatchSize = 10_000
/** The prefetch of AMQP is a 16-bit number. */
export const maxPrefetch = 65_535
/** A keyed event that waits for its retry holds a delivery; RabbitMQ takes a delivery back after 30 minutes. */
export const maxInPlaceMillis = 10 * 60 * 1000
/** A batch that was interrupted may take this long to end before another batch runs in its place. */
export const batchGraceMillis = 5000

const invalid = (option: string, problem: string, remedy: string): Result.Result<never, SubscriberInvalid> =>
  Result.fail(new SubscriberInvalid({ option, problem, remedy }))

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1

const isPositive = (duration: Duration.Input): boolean => {
  const millis = millisOf(duration)
  return Number.isFinite(millis) && millis > 0
}

export const name = (value: string): Checked<string> => {
  const fault = nameFault(value)
  return fault === undefined
    ? Result.succeed(value)
    : invalid("name", fault, "Use words of a-z, 0-9 and - between dots, at most 200 bytes")
}

/** A transaction commits all of a batch or nothing, while each event of a batch succeeds or fails by itself. */
export const inbox = (
  wanted: boolean,
  { ephemeral, inBatches }: { readonly ephemeral: boolean; readonly inBatches: boolean }
): Checked<boolean> => {
  if (!wanted || (!ephemeral && !inBatches)) return Result.succeed(wanted)
  return ephemeral
    ? invalid(
        "inbox",
        "events of an ephemeral subscriber may be lost, so none happens once",
        "Use a subscriber with a name"
      )
    : invalid(
        "inbox",
        "the events of a batch fail one by one, but a transaction fails as a whole",
        "Remove `batch`, or call Inbox.isFirst for each event in a transaction of its own"
      )
}

/** The contracts of a subscriber by the names of their events. */
export const contracts = <E extends Event.Any>(events: Events<E>): Checked<ReadonlyMap<string, E>> => {
  const list = listOf(events)
  if (list.length === 0) return invalid("events", "no event is listed", "List at least one contract")
  const byName = new Map<string, E>()
  for (const contract of list) {
    const known = byName.get(contract.name)
    if (known !== undefined && known !== contract) {
      return invalid(
        "events",
        `two contracts are called "${contract.name}"`,
        "Keep the newest: it reads the older versions"
      )
    }
    byName.set(contract.name, contract)
  }
  return Result.succeed(byName)
}

/** The names of the events that a subscriber no longer handles. */
export const retired = (
  events: ReadonlyArray<Event.Any | string>,
  contracts: ReadonlyMap<string, Event.Any>
): Checked<ReadonlySet<string>> => {
  const names = new Set<string>()
  for (const event of events) {
    const name = typeof event === "string" ? event : event.name
    const fault = nameFault(name)
    if (fault !== undefined) return invalid("retired", fault, "Give the contract or the full name of each event")
    if (contracts.has(name)) {
      return invalid(
        "retired",
        `"${name}" is listed in \`events\`, too`,
        "Leave it in `events` to handle it, or in `retired` to acknowledge it unhandled"
      )
    }
    names.add(name)
  }
  return Result.succeed(names)
}

/** A subscriber that can park a key does so by default. */
export const onBlocked = (
  value: "dead-letter" | "park" | undefined,
  subscriber: { readonly ordering: "none" | "key"; readonly ephemeral: boolean }
): Checked<"dead-letter" | "park"> => {
  const canPark = subscriber.ordering === "key" && !subscriber.ephemeral
  return value === "park" && !canPark
    ? invalid(
        "onBlocked",
        'only ordering: "key" can park events: without it a retry blocks no other event',
        'Leave it out, or set ordering: "key"'
      )
    : Result.succeed(value ?? (canPark ? "park" : "dead-letter"))
}

export const concurrency = (value: number): Checked<number> =>
  isCount(value)
    ? Result.succeed(value)
    : invalid(
        "concurrency",
        `${value} is not a whole number from 1 up`,
        "Give the number of handlers that may run at once"
      )

/** The size and the longest wait of a batch; one event and no wait for a subscriber without batches. */
export const batch = (
  options: BatchOptions | undefined
): Checked<{ readonly size: number; readonly waitMillis: number }> => {
  if (options === undefined) return Result.succeed({ size: 1, waitMillis: 0 })
  const { size, maxWait } = options
  if (!isCount(size) || size > maxBatchSize) {
    return invalid(
      "batch",
      `a size of ${size} is not a whole number from 1 to ${maxBatchSize}`,
      "Give the largest number of events that the handler gets at once"
    )
  }
  const waitMillis = millisOf(maxWait)
  return waitMillis > 0 && waitMillis <= maxBatchWaitMillis
    ? Result.succeed({ size, waitMillis })
    : invalid(
        "batch",
        `maxWait ${String(maxWait)} is not above 0 and at most 5 minutes`,
        "Give the longest time that an event waits for others, as short as the load allows"
      )
}

export const prefetch = (value: number, batchSize: number): Checked<number> => {
  if (!isCount(value) || value > maxPrefetch) {
    return invalid(
      "prefetch",
      `${value} is not a whole number from 1 to ${maxPrefetch}`,
      "Give the number of deliveries to hold at once"
    )
  }
  return value < batchSize
    ? invalid(
        "batch",
        `a batch of ${batchSize} is never full with a prefetch of ${value}`,
        "Lower `size`, or raise `prefetch` above it"
      )
    : Result.succeed(value)
}

/**
 * The deadline of one handler, and how long a delivery may take as a whole: in a batch it is collected first,
 * then it may wait behind a batch that uses up its own deadline.
 */
export const deadline = (
  value: Duration.Input,
  batchWaitMillis: number | undefined
): Checked<{ readonly handlerMillis: number; readonly deliveryMillis: number }> => {
  const handlerMillis = millisOf(value)
  if (!(handlerMillis > 0 && handlerMillis <= maxDeadlineMillis)) {
    return invalid(
      "deadline",
      `${handlerMillis} ms is not above 0 and at most 25 minutes`,
      "The broker takes a delivery back after 30 minutes"
    )
  }
  if (batchWaitMillis === undefined) return Result.succeed({ handlerMillis, deliveryMillis: handlerMillis })
  const deliveryMillis = batchWaitMillis + 2 * (handlerMillis + batchGraceMillis)
  return deliveryMillis > maxDeadlineMillis
    ? invalid(
        "deadline",
        `${handlerMillis} ms is too long for a batch, which may have to wait for another batch first`,
        "Give at most 12 minutes: the broker takes a delivery back after 30 minutes"
      )
    : Result.succeed({ handlerMillis, deliveryMillis })
}

export const breaker = (options: BreakerOptions | undefined): Checked<BreakerOptions | undefined> =>
  options?.failures !== undefined && !isCount(options.failures)
    ? invalid(
        "breaker",
        `${options.failures} failures is not a whole number from 1 up`,
        "Give the number of failed attempts in a row that opens it"
      )
    : Result.succeed(options)

export const restarts = (options: RestartOptions): Checked<RestartOptions> =>
  isCount(options.max ?? 1) && isPositive(options.within ?? 1)
    ? Result.succeed(options)
    : invalid(
        "restarts",
        `${options.max ?? 10} restarts within ${String(options.within ?? "10 minutes")} is not a limit`,
        "Give a whole number from 1 up, and a time above 0"
      )

export const rateLimit = (options: RateLimitOptions | undefined): Checked<RateLimitOptions | undefined> =>
  options === undefined || (isCount(options.limit) && isPositive(options.window))
    ? Result.succeed(options)
    : invalid(
        "rateLimit",
        `${options.limit} events in a window of ${String(options.window)} is not a limit`,
        "Give a whole number of events from 1 up, and a window above 0"
      )

export const maxPostponed = (value: number): Checked<number> =>
  isCount(value)
    ? Result.succeed(value)
    : invalid(
        "maxPostponed",
        `${value} is not a whole number from 1 up`,
        "Give how many times an event may be postponed"
      )
