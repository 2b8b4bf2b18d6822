/**
 * Requests with Promises: `request` resolves with the reply, and rejects with the error that the replier answered or with a
 * `RequestError`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { EventBus } from "../../bus/EventBus.ts"
import type { ReplyOptions } from "../../bus/request/Replier.ts"
import type { RequestAllOptions, RequestOptions } from "../../bus/request/RequestOptions.ts"
import type { Answer, Asked } from "../../bus/request/Requests.ts"
import type { SubscribeError } from "../../bus/subscriber/SubscribeError.ts"
import type { DeliveryInfo } from "../../bus/subscriber/SubscriberOptions.ts"
import type { Subscription } from "../../bus/subscriber/Subscription.ts"
import { madeOf } from "../../bus/subscriber/WrittenHandler.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import { type Actor, CurrentActor } from "../../event/Actor.ts"
import type { PromiseRun } from "./PromiseRun.ts"

/** What Promises add to the options of a request. */
export interface PromiseCallOptions {
  /** In whose name it is asked. Default: the service itself. */
  readonly actor?: Actor
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
  const ask = <Options extends PromiseCallOptions | undefined, A, E>(
    given: Options,
    call: (bus: EventBus["Service"], own: Omit<NonNullable<Options>, keyof PromiseCallOptions>) => Effect.Effect<A, E>
  ): Promise<A> => {
    // Callers without types may pass anything.
    const { actor, signal, ...own }: NonNullable<Options> & PromiseCallOptions = Object(given ?? {})
    const asked = Effect.flatMap(EventBus, (bus) => call(bus, own))
    return run(
      actor === undefined ? asked : Effect.provideService(asked, CurrentActor, actor),
      signal instanceof AbortSignal ? { signal } : undefined
    )
  }
  return {
    request: (request, data, options) => ask(options, (bus, own) => bus.request(request, data, own)),
    requestAll: (request, data, options) => ask(options, (bus, own) => bus.requestAll(request, data, own))
  }
}

/** A replier whose handler is a function of Promises. */
export const replier = <Q extends Event.AnyRequest>(
  { attempt }: PromiseRun,
  name: string,
  options: PromiseReplyOptions<Q>
): Effect.Effect<Subscription, SubscribeError, EventBus | Scope.Scope> => {
  // Callers without types may pass anything: the bus refuses it.
  const { handler, ...others }: PromiseReplyOptions<Q> = Object(options)
  const made =
    typeof handler === "function"
      ? madeOf(
          (request: Envelope.Of<Q>, delivery: DeliveryInfo) =>
            attempt((signal) => handler(request, { ...delivery, signal })),
          handler
        )
      : handler
  // What the handler resolves with is checked by the contract when it is sent.
  const all = { ...others, handler: made } as ReplyOptions<Q, Effect.Effect<Q["ReplyInput"], unknown>>
  return Effect.flatMap(EventBus, (bus) => bus.reply(name, all))
}
