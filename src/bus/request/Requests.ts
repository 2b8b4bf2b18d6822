/**
 * Asks and waits for answers: a request is published as every event is, and its answers come to the inbox of this process.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
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
import type { Publisher } from "../publish/Publisher.ts"
import { textOfId } from "../send/PublishError.ts"
import { CurrentIds, type EventIds } from "../support/EventIds.ts"
import * as Validation from "../support/Validation.ts"
import type * as Reply from "./Reply.ts"
import { type Answered, Asking, type Call, Waiting } from "./Asking.ts"
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
  readonly publish: Publisher["publish"]
}

export const make = Effect.fnUntraced(function* ({ broker, publish }: RequestParts) {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const measure = measuring(context, Stopwatch.of(clock))
  const waiting = new Waiting(Meter.series(RequestMetrics.late, context))
  const inbox = yield* ReplyInbox.make(broker, waiting.answered)
  const calls = new Calls(clock, yield* CurrentIds)
  const asking = new Asking(clock, publish, inbox, waiting)
  return {
    request: <A, Reply, Failure>(event: Asked<A, Reply, Failure>, data: A, options: RequestOptions = {}) =>
      Effect.gen(function* () {
        const call = yield* calls.of(event, data, options, kinds, "deadline")
        const noReply = new RequestError.NoReply({ deadline: Duration.millis(call.millis) })
        return yield* asking
          .ask<Reply.Answer>(
            call,
            (answer, done) => done(answer),
            () => Effect.fail(call.error(noReply))
          )
          .pipe(
            Effect.flatMap((answer) => read<Reply, Failure>(call, answer)),
            measure(call.event.name)
          )
      }),
    requestAll: <A, Reply, Failure>(event: Asked<A, Reply, Failure>, data: A, options: RequestAllOptions) =>
      Effect.gen(function* () {
        const call = yield* calls.of(event, data, options, allKinds, "within")
        const answers: Array<Reply.Answer> = []
        const most = options.atMost ?? Number.POSITIVE_INFINITY
        const collect: Answered<void> = (answer, done) => {
          if (answers.push(answer) >= most) done(undefined)
        }
        return yield* asking
          .ask(call, collect, () => Effect.void)
          .pipe(
            Effect.andThen(() =>
              Effect.forEach(answers, (answer) => named(answer, read<Reply, Failure>(call, answer)))
            ),
            measure(call.event.name)
          )
      })
  } satisfies Requests
})

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
  ): Effect.Effect<Call, RequestError.RequestError> {
    return Effect.suspend(() => {
      const { atMost: _atMost, deadline: _deadline, within: _within, ...own }: Record<string, unknown> = Object(options)
      const id = own["id"] === undefined ? this.ids.next(this.clock.currentTimeMillisUnsafe()) : textOfId(own["id"])
      const name = Predicate.hasProperty(event, "name") ? String(event.name) : "?"
      const error: Call["error"] = (reason) => new RequestError.RequestError({ event: name, id, reason })
      if (!Event.isRequest(event)) return Effect.fail(error(new RequestError.Invalid(notARequest)))
      const fault = Kinds.faultOf(options, kinds)
      if (fault !== undefined) return Effect.fail(error(new RequestError.Invalid(fault)))
      const millis = Object(options)[time] === undefined ? defaultMillis : millisOf(Object(options)[time])
      return Effect.succeed({ event, data, id, millis, options: own, error })
    })
  }
}

/** What an answer says, by the contract of this process. */
const read = <Reply, Failure>(
  { error, event, millis }: Call,
  { outcome, subscriber, value }: Reply.Answer
): Effect.Effect<Reply, Failure | RequestError.RequestError> => {
  if (outcome === "dead-letter") {
    const { detail, error: tag, reason } = Object(value)
    const letter = { subscriber, reason: String(reason), error: String(tag), detail: String(detail) }
    return Effect.fail(error(new RequestError.DeadLettered(letter)))
  }
  const codec = outcome === "reply" ? event.answers.reply : event.answers.error
  if (codec === undefined) return Effect.fail(error(new RequestError.InvalidReply({ subscriber, faults: [noErrors] })))
  const outcomes = Validation.settled(event.name, codec.decode(event.version, value), millis)
  return Effect.flatMap(outcomes, (decoded): Effect.Effect<Reply, Failure | RequestError.RequestError> => {
    if (Result.isFailure(decoded)) {
      const faults = decoded.failure._tag === "InvalidEvent" ? decoded.failure.faults : []
      return Effect.fail(error(new RequestError.InvalidReply({ subscriber, faults })))
    }
    // The codec of the contract decoded it, whose types these are.
    return outcome === "reply" ? Effect.succeed(decoded.success as Reply) : Effect.fail(decoded.success as Failure)
  })
}

/** Measures how long requests take, by event and outcome. */
const measuring = (context: Context.Context<never>, stopwatch: () => number) => {
  const ofEvents = new Map<string, (outcome: string) => Meter.Series>()
  const seriesOf = (event: string): ((outcome: string) => Meter.Series) => {
    const known = ofEvents.get(event)
    if (known !== undefined) return known
    const made = Meter.seriesBy(RequestMetrics.duration, context, { "eventbus.event": event }, "eventbus.outcome")
    ofEvents.set(event, made)
    return made
  }
  return (event: string) =>
    <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        const began = stopwatch()
        return Effect.onExit(self, (exit) =>
          Effect.sync(() => seriesOf(event)(outcomeOf(exit)).update(stopwatch() - began))
        )
      })
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
