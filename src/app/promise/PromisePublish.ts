/**
 * Publishing with Promises.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { EventBus } from "../../bus/EventBus.ts"
import * as Foreign from "../../bus/ForeignPublish.ts"
import {
  type Confirmed,
  type OptionFault,
  optionNames,
  type PublishOptions,
  unknownFault
} from "../../bus/publish/PublishOptions.ts"
import { PublishAllError, PublishError } from "../../bus/send/PublishError.ts"
import { CurrentIds } from "../../bus/support/EventIds.ts"
import type * as Event from "../../event/Event.ts"
import { shown } from "../../event/options/OptionNames.ts"
import type { PromiseRun } from "./PromiseRun.ts"

export interface PromisePublishOptions extends PublishOptions {
  /** Gives up waiting. An event that was not sent yet is not sent any more. */
  readonly signal?: AbortSignal
}

export interface PromiseForeignPublishOptions extends Foreign.ForeignPublishOptions {
  /** Gives up waiting. A message that was not sent yet is not sent any more. */
  readonly signal?: AbortSignal
}

export interface PromisePublish {
  /**
   * Resolves when the broker holds the event safely for every queue it was routed to. Rejects with a `PublishError`
   * whose reason says whether anything was sent.
   */
  readonly publish: <A>(
    event: Event.Event<string, unknown, A>,
    data: NoInfer<A>,
    options?: PromisePublishOptions
  ) => Promise<Confirmed>
  /**
   * Publishes many events in order and pipelined, and resolves to their number. It stops at the first failure and
   * rejects with a `PublishAllError`. Items of an async iterable are taken as fast as they can be sent. When the
   * iterable itself fails, the items before the failure are published, and the `cause` of the `PublishAllError` is
   * its error.
   *
   * @example
   * ```ts
   * import { Event, type PromiseEventBus } from "@eduflow/events"
   * import { createReadStream } from "node:fs"
   * import { createInterface } from "node:readline"
   *
   * declare const GradePosted: Event.Event<"academic.grade.posted", { readonly grade: number }>
   *
   * async function* grades() {
   *   for await (const line of createInterface({ input: createReadStream("grades.txt") })) yield { grade: Number(line) }
   * }
   * export const load = (bus: PromiseEventBus) => bus.publishAll(GradePosted, grades())
   * ```
   */
  readonly publishAll: <A>(
    event: Event.Event<string, unknown, A>,
    items: Iterable<NoInfer<A>> | AsyncIterable<NoInfer<A>>,
    options?: Omit<PromisePublishOptions, "id">
  ) => Promise<number>
  /**
   * Publishes into an exchange or a queue of another system, in its form: `Foreign.publish` as a Promise.
   *
   * @example
   * ```ts
   * import { Event, Foreign, type PromiseEventBus } from "@eduflow/events"
   * import { Schema } from "effect"
   *
   * const OrderPaid = Event.make("shop.order.paid", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })
   *
   * export const paid = (bus: PromiseEventBus, orderId: string) =>
   *   bus.publishForeign({ queue: "orders_queue" }, OrderPaid, { orderId }, { type: "order_paid", codec: Foreign.nest() })
   * ```
   */
  readonly publishForeign: <A>(
    to: Foreign.Target,
    event: Event.Event<string, unknown, A>,
    data: NoInfer<A>,
    options?: PromiseForeignPublishOptions
  ) => Promise<Confirmed>
}

export const make = ({ run }: PromiseRun): PromisePublish => ({
  publish: (event, data, options) => {
    const { own, signal } = split(options)
    const fault = faultOf(options)
    const call: Effect.Effect<Confirmed, PublishError, EventBus> =
      fault === undefined
        ? Effect.flatMap(EventBus, (bus) => bus.publish(event, data, own))
        : refusal(event, own, fault)
    return run(call, signal === undefined ? undefined : { signal })
  },
  publishAll: (event, items, options) => {
    const { own, signal } = split(options)
    const fault = faultOf(options)
    const call: Effect.Effect<number, PublishAllError, EventBus> =
      fault === undefined
        ? Effect.flatMap(EventBus, (bus) => bus.publishAll(event, items, own))
        : Effect.mapError(refusal(event, own, fault), PublishAllError.refused)
    return run(call, signal === undefined ? undefined : { signal })
  },
  publishForeign: (to, event, data, options) => {
    const { own, signal } = split(options)
    const fault = faultOf(options, foreignNames)
    const call: Effect.Effect<Confirmed, PublishError, EventBus> =
      fault === undefined ? Foreign.publish(to, event, data, own) : refusal(event, own, fault)
    return run(call, signal === undefined ? undefined : { signal })
  }
})

const names: ReadonlySet<string> = new Set([...optionNames, "signal"])
const foreignNames: ReadonlySet<string> = new Set([...Foreign.optionNames, "signal"])

const faultOf = (
  options: PromisePublishOptions | PromiseForeignPublishOptions | undefined,
  known = names
): OptionFault | undefined => {
  if (options === undefined) return undefined
  const fault = unknownFault(options, known)
  return fault ?? signalFault(options)
}

const signalFault = (options: { readonly signal?: unknown } = {}): OptionFault | undefined => {
  const { signal }: { readonly signal?: unknown } = Object(options)
  return signal === undefined || signal instanceof AbortSignal
    ? undefined
    : { path: "signal", expected: `expected an AbortSignal, not ${shown(signal)}` }
}

const refusal = Effect.fnUntraced(function* (event: unknown, options: object, fault: OptionFault) {
  const [ids, now] = [yield* CurrentIds, yield* Clock.currentTimeMillis]
  return yield* PublishError.refused(event, options, () => ids.next(now), fault)
})

interface Split<O> {
  readonly signal: AbortSignal | undefined
  /** The options of the bus. */
  readonly own: Omit<O, "signal">
}

/** Takes the options that Promises add away. */
const split = <O extends { readonly signal?: AbortSignal }>(options: O | undefined): Split<O> => {
  const { signal, ...own } = Object(options ?? {})
  return { own, signal: signal instanceof AbortSignal ? signal : undefined }
}
