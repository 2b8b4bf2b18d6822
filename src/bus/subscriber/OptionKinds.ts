/** Which options a subscriber has, checked before anything is declared. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Event from "../../event/Event.ts"
import {
  bool,
  duration,
  faultOf,
  func,
  type Kinds,
  number,
  oneOf,
  or,
  record,
  required
} from "../../event/options/OptionKinds.ts"
import { shown } from "../../event/options/OptionNames.ts"
import { contractsOf, isForeign } from "./ForeignEvents.ts"
import * as HandlerReturn from "./HandlerReturn.ts"
import { SubscriberInvalid } from "./SubscribeError.ts"

const kinds = {
  events: required({
    expected: "a list of contracts, `group.match(pattern)`, or events of another system, such as `Foreign.queue(...)`",
    holds: (value) => Array.isArray(value) || isMatch(value) || isForeign(value)
  }),
  handler: required(func),
  retry: {
    expected: "a Schedule, such as Schedule.recurs(3), or a function from the error to one",
    holds: (value) => Schedule.isSchedule(value) || func.holds(value)
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
    openDuration: or(duration, "a Schedule", Schedule.isSchedule)
  }),
  restarts: record({ max: number, within: duration, onExhausted: oneOf("stay-failed", "fail-layer") }),
  rateLimit: record({ limit: required(number), window: required(duration) }),
  batch: record({ size: required(number), maxWait: required(duration) }),
  idempotent: bool,
  inbox: bool,
  onStoreDown: oneOf("handle", "wait"),
  maxPostponed: number,
  traceRelation: oneOf("parent", "link")
} satisfies Kinds

const { batch: _batch, events: _events, inbox: _inbox, ...ofReplier } = kinds
/** Those of a subscriber that answers: a request has one answer, and a transaction may be repeated after it. */
const replierKinds: Kinds = {
  ...ofReplier,
  to: required({ expected: "the contract of a request, which Event.request returns", holds: Event.isRequest })
}

const ephemeralKinds: Kinds = { ...kinds, onGap: func }

/** Fails with the first option that does not exist, is missing, or is of another kind. */
export const check = (options: unknown, ephemeral: boolean): Result.Result<void, SubscriberInvalid> => {
  const fault = faultOf(options, ephemeral ? ephemeralKinds : kinds)
  if (fault !== undefined) return Result.fail(new SubscriberInvalid(fault))
  const { events, handler }: { readonly events?: unknown; readonly handler?: unknown } = Object(options)
  const foreign = foreignFault(events, ephemeral)
  if (foreign !== undefined) return Result.fail(foreign)
  const stranger = contractFault(events)
  if (stranger !== undefined) return Result.fail(stranger)
  const wrong = HandlerReturn.functionFault(handler)
  return wrong === undefined ? Result.void : invalid("handler", wrong.problem, wrong.remedy)
}

/** The same for a subscriber that answers requests; the rest of its options is checked when it starts. */
export const checkReplier = (options: unknown): SubscriberInvalid | undefined => {
  const fault = faultOf(options, replierKinds)
  return fault === undefined ? undefined : new SubscriberInvalid(fault)
}

/** Why events of another system cannot be had like this. */
const foreignFault = (events: unknown, ephemeral: boolean): SubscriberInvalid | undefined => {
  if (!isForeign(events)) return undefined
  if (events.fault !== undefined || !ephemeral) return events.fault
  return new SubscriberInvalid({
    option: "events",
    problem: "a subscriber of one process has no queue that could keep events of another system",
    remedy: "Use `subscribe` or `Subscriber.layer` with a name"
  })
}

/** The first element of `events` that is no contract. */
const contractFault = (events: unknown): SubscriberInvalid | undefined => {
  const list: unknown = isMatch(events) ? events.events : isForeign(events) ? contractsOf(events) : events
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
