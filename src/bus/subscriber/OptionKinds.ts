/**
 * Which options a subscriber has, and the kind of value that each of them takes. Callers without types may pass
 * anything under any name, and what nobody reads would be an option that silently does nothing.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Event from "../../event/Event.ts"
import { millisOf, remedyOfUnknown, shown } from "../support/OptionNames.ts"
import { SubscriberInvalid } from "./SubscribeError.ts"

interface Kind {
  /** What the option takes, as its error says it. */
  readonly expected: string
  readonly holds: (value: unknown) => boolean
  /** The options within it, if it is an object. */
  readonly fields?: Kinds
}
type Kinds = Readonly<Record<string, Kind>>

const isFunction = (value: unknown): boolean => typeof value === "function"
const number: Kind = { expected: "a number", holds: (value) => typeof value === "number" }
const bool: Kind = { expected: "true or false", holds: (value) => typeof value === "boolean" }
const duration: Kind = { expected: 'a length of time, such as "30 seconds"', holds: (value) => millisOf(value) >= 0 }
const record = (fields: Kinds): Kind => ({
  expected: `an object with ${Object.keys(fields).join(", ")}`,
  holds: Predicate.isObject,
  fields
})
const oneOf = (...values: ReadonlyArray<string>): Kind => ({
  expected: values.map((value) => `"${value}"`).join(" or "),
  holds: (value) => typeof value === "string" && values.includes(value)
})

const kinds: Kinds = {
  events: {
    expected: "a list of contracts, or `group.match(pattern)`",
    holds: (value) => Array.isArray(value) || isMatch(value)
  },
  handler: { expected: "a function", holds: isFunction },
  retry: {
    expected: "a Schedule, such as Schedule.recurs(3), or a function from the error to one",
    holds: (value) => Schedule.isSchedule(value) || isFunction(value)
  },
  concurrency: number,
  ordering: oneOf("none", "key"),
  onBlocked: oneOf("dead-letter", "park"),
  deadline: duration,
  prefetch: number,
  retired: {
    expected: "a list of contracts or names of events",
    holds: (value) =>
      Array.isArray(value) &&
      value.every((event: unknown) => typeof event === "string" || Predicate.hasProperty(event, Event.TypeId))
  },
  announceDeadLetters: bool,
  breaker: record({
    failures: number,
    openDuration: {
      expected: 'a length of time, such as "30 seconds", or a Schedule',
      holds: (value) => Schedule.isSchedule(value) || duration.holds(value)
    }
  }),
  restarts: record({ max: number, within: duration, onExhausted: oneOf("stay-failed", "fail-layer") }),
  rateLimit: record({ limit: number, window: duration }),
  batch: record({ size: number, maxWait: duration }),
  idempotent: bool,
  onStoreDown: oneOf("handle", "wait"),
  maxPostponed: number,
  traceRelation: oneOf("parent", "link")
}

const ephemeralKinds: Kinds = { ...kinds, onGap: { expected: "a function", holds: isFunction } }

/** Fails with the first option that does not exist, is missing, or is of another kind. */
export const check = (options: unknown, ephemeral: boolean): Result.Result<void, SubscriberInvalid> => {
  if (!Predicate.isObject(options)) {
    return invalid("options", `${shown(options)} is not an object`, "Give an object with `events` and `handler`")
  }
  for (const name of ["events", "handler"]) {
    if (options[name] === undefined) return invalid(name, "it is missing", `Give ${kinds[name]?.expected ?? "it"}`)
  }
  const fault = faultOf("", options, ephemeral ? ephemeralKinds : kinds) ?? contractFault(options["events"])
  return fault === undefined ? Result.void : Result.fail(fault)
}

const faultOf = (path: string, options: object, known: Kinds): SubscriberInvalid | undefined => {
  for (const [name, value] of Object.entries(options)) {
    const option = `${path}${name}`
    const kind = Object.hasOwn(known, name) ? known[name] : undefined
    if (kind === undefined) {
      const problem = `there is no such option (its value is ${shown(value)})`
      return new SubscriberInvalid({ option, problem, remedy: remedyOfUnknown(name, Object.keys(known)) })
    }
    if (value === undefined) continue
    if (!kind.holds(value)) {
      return new SubscriberInvalid({
        option,
        problem: `${shown(value)} is not accepted`,
        remedy: `Give ${kind.expected}`
      })
    }
    const within = kind.fields === undefined ? undefined : faultOf(`${option}.`, Object(value), kind.fields)
    if (within !== undefined) return within
  }
  return undefined
}

/** The first element of `events` that is no contract. */
const contractFault = (events: unknown): SubscriberInvalid | undefined => {
  const list: unknown = isMatch(events) ? events.events : events
  if (!Array.isArray(list)) return undefined
  const index = list.findIndex((event: unknown) => !Predicate.hasProperty(event, Event.TypeId))
  if (index < 0) return undefined
  return new SubscriberInvalid({
    option: `events[${index}]`,
    problem: `${shown(list[index])} is not a contract`,
    remedy: "List what Event.make returned"
  })
}

const isMatch = (value: unknown): value is { readonly pattern: string; readonly events: ReadonlyArray<unknown> } =>
  Predicate.isObject(value) && typeof value["pattern"] === "string" && Array.isArray(value["events"])

const invalid = (option: string, problem: string, remedy: string): Result.Result<never, SubscriberInvalid> =>
  Result.fail(new SubscriberInvalid({ option, problem, remedy }))
