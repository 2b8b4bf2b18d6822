/**
 * Requests with Promises: `request` resolves with the reply, and rejects with the error that the replier answered or with a
 * `RequestError`.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { EventBus } from "../../bus/EventBus.ts"
import type { ReplyOptions } from "../../bus/request/Replier.ts"
import { Invalid, RequestError } from "../../bus/request/RequestError.ts"
import type { RequestAllOptions, RequestOptions } from "../../bus/request/RequestOptions.ts"
import type { Answer, Asked } from "../../bus/request/Requests.ts"
import { textOfId } from "../../bus/send/PublishError.ts"
import type { SubscribeError } from "../../bus/subscriber/SubscribeError.ts"
import type { DeliveryInfo } from "../../bus/subscriber/SubscriberOptions.ts"
import type { Subscription } from "../../bus/subscriber/Subscription.ts"
import { madeOf } from "../../bus/subscriber/WrittenHandler.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import type * as Kinds from "../../event/options/OptionKinds.ts"
import { shown } from "../../event/options/OptionNames.ts"
import type { PromiseRun } from "./PromiseRun.ts"

/** What Promises add to the options of a request. */
export interface PromiseCallOptions {
  /** Gives up waiting. */
  readonly signal?: AbortSignal
}

/** The options of `reply`. */
export interface PromiseReplyOptions<Q extends Event.AnyRequest> extends Omit<
  ReplyOptions<Q, Effect.Effect<unknown, unknown>>,
  "handler"
> {
  /**
   * Resolves with the reply. Throwing an error that the request declares is an answer, too; throwing anything else is a failed
   * attempt. `signal` aborts when the asker waits no longer, at the deadline, and when the subscription ends.
   */
  readonly handler: (
    request: Envelope.Of<Q>,
    delivery: DeliveryInfo & { readonly signal: AbortSignal }
  ) => Promise<Q["ReplyInput"]> | Q["ReplyInput"]
}

export interface PromiseRequest {
  /**
   * Publishes a request and waits for the first answer to it.
   *
   * @example
   * ```ts
   * import { Event, type PromiseEventBus } from "@eduflow/events"
   * import { Schema } from "effect"
   *
   * const SeatsLeft = Event.request("academic.course.seats-left", {
   *   version: 1,
   *   data: Schema.Struct({ courseId: Schema.String }),
   *   reply: Schema.Struct({ seats: Schema.Int })
   * })
   *
   * export const seatsOf = async (bus: PromiseEventBus, courseId: string) => {
   *   const { seats } = await bus.request(SeatsLeft, { courseId }, { deadline: "2 seconds" })
   *   return seats
   * }
   * ```
   */
  readonly request: <A, Reply>(
    request: Asked<A, Reply, unknown>,
    data: NoInfer<A>,
    options?: RequestOptions & PromiseCallOptions
  ) => Promise<Reply>
  /** The answers of several subscribers: those that come within a time. */
  readonly requestAll: <A, Reply, Failure>(
    request: Asked<A, Reply, Failure>,
    data: NoInfer<A>,
    options: RequestAllOptions & PromiseCallOptions
  ) => Promise<ReadonlyArray<Answer<Reply, Failure>>>
}

export const make = ({ run }: PromiseRun): PromiseRequest => {
  const ask = <Options extends object, A, E>(
    request: unknown,
    given: (Options & PromiseCallOptions) | undefined,
    call: (bus: EventBus["Service"], own: Options) => Effect.Effect<A, E>
  ): Promise<A> => {
    const { fault, own, signal } = split<Options>(given)
    const asked: Effect.Effect<A, E | RequestError, EventBus> =
      fault === undefined
        ? Effect.flatMap(EventBus, (bus) => call(bus, own))
        : Effect.fail(refusal(request, given, fault))
    return run(asked, signal && { signal })
  }
  return {
    request: (request, data, options) => ask(request, options, (bus, own) => bus.request(request, data, own)),
    requestAll: (request, data, options) => ask(request, options, (bus, own) => bus.requestAll(request, data, own))
  }
}

interface Split<Options> {
  readonly signal: AbortSignal | undefined
  /** The options of the bus. */
  readonly own: Options
  readonly fault: Kinds.OptionFault | undefined
}

/** Takes the options that Promises add away. Callers without types may pass anything: the bus refuses what is no object. */
const split = <Options extends object>(given: (Options & PromiseCallOptions) | undefined): Split<Options> => {
  if (!Predicate.isObject(given)) return { signal: undefined, own: given as never, fault: undefined }
  const { signal, ...own } = given as PromiseCallOptions
  const isSignal = signal === undefined || signal instanceof AbortSignal
  return {
    signal: isSignal ? signal : undefined,
    // Without what Promises add these are the options of the bus.
    own: own as Options,
    fault: isSignal
      ? undefined
      : { option: "signal", problem: `${shown(signal)} is not accepted`, remedy: "Give an AbortSignal" }
  }
}

const refusal = (request: unknown, options: unknown, fault: Kinds.OptionFault): RequestError =>
  new RequestError({
    event: Predicate.hasProperty(request, "name") ? String(request.name) : "?",
    id: Predicate.hasProperty(options, "id") ? textOfId(options.id) : "?",
    reason: new Invalid(fault)
  })

/** A replier whose handler is a function of Promises. */
export const replier = <Q extends Event.AnyRequest>(
  { attempt }: PromiseRun,
  name: string,
  options: PromiseReplyOptions<Q>
): Effect.Effect<Subscription, SubscribeError, EventBus | Scope.Scope> => {
  const given: unknown = options
  // Callers without types may pass anything: the bus refuses it.
  const made =
    !Predicate.isObject(given) || !Predicate.isFunction(given["handler"])
      ? given
      : {
          ...given,
          handler: madeOf(
            (request: Envelope.Of<Q>, delivery: DeliveryInfo) =>
              attempt((signal) => options.handler(request, { ...delivery, signal })),
            options.handler
          )
        }
  // What the handler resolves with is checked by the contract when it is sent.
  const all = made as ReplyOptions<Q, Effect.Effect<Q["ReplyInput"], unknown>>
  return Effect.flatMap(EventBus, (bus) => bus.reply(name, all))
}
