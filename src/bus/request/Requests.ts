/**
 * Asks and waits for answers: a request is published as every event is, and its answers come to the inbox of this process.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { Fault } from "../../event/EventError.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
import * as Event from "../../event/Event.ts"
import * as Stopwatch from "../../observe/Stopwatch.ts"
import * as Meter from "../../observe/Meter.ts"
import * as RequestMetrics from "../../observe/RequestMetrics.ts"
import type { Broker } from "../port/Broker.ts"
import * as Later from "../../event/standard/Later.ts"
import type { Start } from "../publish/Publisher.ts"
import { textOfId } from "../send/PublishError.ts"
import * as Alarms from "../support/Alarms.ts"
import { CurrentIds, type EventIds } from "../support/EventIds.ts"
import * as Validation from "../support/Validation.ts"
import type * as Reply from "./Reply.ts"
import { Asking, type Call, Waiting } from "./Asking.ts"
import * as ReplyInbox from "./ReplyInbox.ts"
import * as RequestError from "./RequestError.ts"
import { allKinds, kinds, type RequestAllOptions, type RequestOptions } from "./RequestOptions.ts"

/** One of several answers. */
export interface Answer<Reply, Failure> {
  /** Who answered. Processes of one subscriber share its requests: each request has one answer of it. */
  readonly subscriber: string
  readonly result: Result.Result<Reply, Failure | RequestError.RequestError>
}

/** Any request whose answers have these types. */
export interface Asked<A, Reply, Failure> extends Event.AnyRequest {
  readonly Input: A
  readonly Reply: Reply
  readonly Error: Failure
}

export interface Requests {
  readonly request: <A, Reply, Failure>(
    request: Asked<A, Reply, Failure>,
    data: NoInfer<A>,
    options?: RequestOptions
  ) => Effect.Effect<Reply, Failure | RequestError.RequestError>
  readonly requestAll: <A, Reply, Failure>(
    request: Asked<A, Reply, Failure>,
    data: NoInfer<A>,
    options: RequestAllOptions
  ) => Effect.Effect<ReadonlyArray<Answer<Reply, Failure>>, RequestError.RequestError>
}

const defaultMillis = 15_000

export interface RequestParts {
  readonly broker: Broker["Service"]
  readonly publish: Start
}

export const make = Effect.fnUntraced(function* ({ broker, publish }: RequestParts) {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const stopwatch = Stopwatch.of(clock)
  const measure = measuring(context)
  const waiting = new Waiting(Meter.series(RequestMetrics.late, context))
  const inbox = yield* ReplyInbox.make({ broker, answered: waiting.answered, onOpen: () => asking.sendNext() })
  const calls = new Calls(clock, yield* CurrentIds)
  const asking = new Asking(clock, yield* Alarms.make, publish, inbox, waiting)
  return {
    request: <A, Reply, Failure>(event: Asked<A, Reply, Failure>, data: A, options: RequestOptions = {}) =>
      Effect.callback<Reply, Failure | RequestError.RequestError>((resume) => {
        const began = stopwatch()
        const call = calls.of(event, data, options, kinds, "deadline")
        if (call instanceof RequestError.RequestError) return resume(Exit.fail(call))
        const measured = <B, E>(exit: Exit.Exit<B, E>): Exit.Exit<B, E> => {
          measure(call.event.name, outcomeOf(exit), stopwatch() - began)
          return exit
        }
        const interrupt = asking.ask<Reply.Answer>(call, contextOfCaller(), {
          answered: Exit.succeed,
          atTheEnd: () => Exit.fail(call.error(new RequestError.NoReply({ deadline: Duration.millis(call.millis) }))),
          ended: (outcome) => {
            if (Exit.isFailure(outcome)) return resume(measured(Exit.failCause(outcome.cause)))
            const read = readAnswer<Reply, Failure>(call, outcome.value)
            if (Exit.isExit(read)) measured(read)
            // A schema that decodes asynchronously belongs to the time of the request.
            resume(Exit.isExit(read) ? read : Effect.onExit(read, (exit) => Effect.sync(() => measured(exit))))
          }
        })
        return Effect.sync(() => {
          interrupt()
          measured(Exit.interrupt())
        })
      }),
    requestAll: <A, Reply, Failure>(event: Asked<A, Reply, Failure>, data: A, options: RequestAllOptions) =>
      Effect.suspend(() => {
        const began = stopwatch()
        const call = calls.of(event, data, options, allKinds, "within")
        if (call instanceof RequestError.RequestError) return Effect.fail(call)
        const answers: Array<Reply.Answer> = []
        const most = options.atMost ?? Number.POSITIVE_INFINITY
        const collected = Effect.callback<void, RequestError.RequestError>((resume) =>
          Effect.sync(
            asking.ask<void>(call, contextOfCaller(), {
              answered: (answer) => (answers.push(answer) >= most ? Exit.void : undefined),
              atTheEnd: () => Exit.void,
              ended: resume
            })
          )
        )
        return collected.pipe(
          Effect.andThen(() =>
            Effect.forEach(answers, (answer) => named(answer, readAnswer<Reply, Failure>(call, answer)))
          ),
          Effect.onExit((exit) => Effect.sync(() => measure(call.event.name, outcomeOf(exit), stopwatch() - began)))
        )
      })
  } satisfies Requests
})

/** Of the fiber that asks; for a function that runs in it. */
const contextOfCaller = (): Context.Context<never> => Fiber.getCurrent()?.context ?? Context.empty()

/** One of several answers, with its failure as a value. */
const named = <Reply, E>(
  { subscriber }: Reply.Answer,
  read: Effect.Effect<Reply, E>
): Effect.Effect<{ readonly subscriber: string; readonly result: Result.Result<Reply, E> }> =>
  Effect.map(Effect.result(read), (result) => ({ subscriber, result }))

/** Checks what a caller gives. Callers come from outside of TypeScript too. */
class Calls {
  private readonly clock: Clock.Clock
  private readonly ids: EventIds

  constructor(clock: Clock.Clock, ids: EventIds) {
    this.clock = clock
    this.ids = ids
  }

  /** The call, or what is wrong with it. */
  of(
    event: unknown,
    data: unknown,
    options: unknown,
    kinds: Kinds.Kinds,
    time: "deadline" | "within"
  ): Call | RequestError.RequestError {
    const { atMost: _atMost, deadline: _deadline, within: _within, ...own }: Record<string, unknown> = Object(options)
    const id = own["id"] === undefined ? this.ids.next(this.clock.currentTimeMillisUnsafe()) : textOfId(own["id"])
    const name = Predicate.hasProperty(event, "name") ? String(event.name) : "?"
    const error: Call["error"] = (reason) => new RequestError.RequestError({ event: name, id, reason })
    if (!Event.isRequest(event)) return error(new RequestError.Invalid(notARequest))
    const fault = Kinds.faultOf(options, kinds)
    if (fault !== undefined) return error(new RequestError.Invalid(fault))
    const millis = Object(options)[time] === undefined ? defaultMillis : millisOf(Object(options)[time])
    return { event, data, id, millis, options: own, error }
  }
}

/** What an answer says, by the contract of this process: at once, unless its schema decodes asynchronously. */
const readAnswer = <Reply, Failure>(
  { error, event, millis }: Call,
  { outcome, subscriber, value }: Reply.Answer
): Effect.Effect<Reply, Failure | RequestError.RequestError> => {
  if (outcome === "dead-letter") {
    const { detail, error: tag, reason } = Object(value)
    const letter = { subscriber, reason: String(reason), error: String(tag), detail: String(detail) }
    return Exit.fail(error(new RequestError.DeadLettered(letter)))
  }
  const codec = outcome === "reply" ? event.answers.reply : event.answers.error
  if (codec === undefined) return Exit.fail(error(new RequestError.InvalidReply({ subscriber, faults: [noErrors] })))
  const exitOf = (decoded: Later.Outcome<unknown>): Exit.Exit<Reply, Failure | RequestError.RequestError> => {
    if (Result.isFailure(decoded)) {
      const faults = decoded.failure._tag === "InvalidEvent" ? decoded.failure.faults : []
      return Exit.fail(error(new RequestError.InvalidReply({ subscriber, faults })))
    }
    // The codec of the contract decoded it, whose types these are.
    return outcome === "reply" ? Exit.succeed(decoded.success as Reply) : Exit.fail(decoded.success as Failure)
  }
  let decoded: Later.Outcome<unknown>
  try {
    decoded = codec.decode(event.version, value)
  } catch (defect) {
    // This runs among the answers to other requests.
    return Exit.die(defect)
  }
  return Later.waiting(decoded) === undefined
    ? exitOf(decoded)
    : Effect.flatMap(Validation.settled(event.name, decoded, millis), exitOf)
}

/** Measures how long requests take, by event and outcome. */
const measuring = (context: Context.Context<never>) => {
  const ofEvents = new Map<string, (outcome: string) => Meter.Series>()
  return (event: string, outcome: string, took: number): void => {
    let seriesOf = ofEvents.get(event)
    if (seriesOf === undefined) {
      seriesOf = Meter.seriesBy(RequestMetrics.duration, context, { "eventbus.event": event }, "eventbus.outcome")
      ofEvents.set(event, seriesOf)
    }
    seriesOf(outcome).update(took)
  }
}

/** `replied`, `error` for one that the contract declares, or the reason why there is no answer. */
const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "replied"
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (error === undefined) return "interrupted"
  return error instanceof RequestError.RequestError ? error.reason._tag : "error"
}

const notARequest = {
  option: "request",
  problem: "it is not the contract of a request",
  remedy: "Make it with Event.request"
}
const noErrors: Fault = { path: "error", expected: "the contract here declares no errors" }
