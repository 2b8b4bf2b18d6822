/**
 * Events of other systems, as `events` of a subscriber: where they come from, in which form, and which contract each of their
 * types has. Nothing of the other system is declared or changed.
 */
import * as Predicate from "effect/Predicate"
import type * as Event from "../../event/Event.ts"
import * as Codecs from "../../event/foreign/Codecs.ts"
import type { ForeignCodec } from "../../event/foreign/ForeignCodec.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { shown } from "../../event/options/OptionNames.ts"
import type { ForeignBinding, ForeignPlaces } from "../port/ForeignPlace.ts"
import { SubscriberInvalid } from "./SubscribeError.ts"

const TypeId = "~@eduflow/events/ForeignEvents"

/** The type of every other message. */
export const anyType = "*"

export interface ForeignOptions<E extends Event.Any> {
  /**
   * The contract of each type of the other system, in its own words: `"order_created"`, `"com.github.pull_request.opened"`,
   * `"https://example.com/Order"`. `"*"` stands for every type that is not listed. Two types may have one contract.
   */
  readonly types: Readonly<Record<string, E>>
  /** The form of the messages. Default: `Foreign.json()`, the data as JSON. */
  readonly codec?: ForeignCodec
  /**
   * What becomes of a type that is not listed. `"wait"` (default): it waits for a process of this subscriber that knows it, as
   * during a deploy, for at most an hour, and is then dead-lettered as `UnknownType`. `"skip"`: it is acknowledged.
   */
  readonly onUnknownType?: "wait" | "skip"
}

/** What a topic, direct, fanout, headers or consistent hash exchange routes by. */
export type ExchangeBinding =
  /** Patterns with `*` for one word and `#` for any number of words. */
  | { readonly topic: string | ReadonlyArray<string> }
  /** Routing keys, as they are. */
  | { readonly direct: string | ReadonlyArray<string> }
  | { readonly fanout: true }
  /** Headers that a message must have: all of them, or any. */
  | { readonly headers: Readonly<Record<string, string | number | boolean>>; readonly match?: "all" | "any" }
  /** The share of the messages: its queue gets twice as many with twice the weight. For the plugin's `x-consistent-hash`. */
  | { readonly consistentHash: number }

export interface ForeignEvents<out E extends Event.Any> {
  readonly [TypeId]: typeof TypeId
  readonly from: ForeignPlaces
  readonly codec: ForeignCodec
  readonly types: Readonly<Record<string, E>>
  readonly onUnknownType: "wait" | "skip"
  /** What is wrong with it, if anything is: it is reported when the subscriber starts. */
  readonly fault: SubscriberInvalid | undefined
}

export const isForeign = <E extends Event.Any>(events: unknown): events is ForeignEvents<E> =>
  Predicate.hasProperty(events, TypeId)

/** The contracts, each once. */
export const contractsOf = <E extends Event.Any>({ types }: ForeignEvents<E>): ReadonlyArray<E> => [
  ...new Set(Object.values(types))
]

/**
 * The messages in a queue that another system declared. They are moved to the subscriber's own queue, where retries, dead
 * letters, order and replay are as for every subscriber. Other consumers of the queue may go on: each message goes to one of
 * them. With `ordering: "key"` one process of the subscriber reads the queue at a time and nobody else may, so that order is
 * kept; while another program reads it, the subscriber waits.
 *
 * Not covered: what the queue drops before it is read, by its own time to live, length limit or delivery limit; and streams.
 *
 * @example
 * ```ts
 * import { Event, Foreign, Subscriber } from "@eduflow/events"
 * import { Effect, Schema } from "effect"
 *
 * const OrderCreated = Event.make("shop.order.created", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })
 *
 * export const Invoices = Subscriber.layer("billing.invoices", {
 *   events: Foreign.queue("orders_queue", { codec: Foreign.nest(), types: { order_created: OrderCreated } }),
 *   handler: (event) => Effect.log(`invoice for ${event.data.orderId}`)
 * })
 * ```
 */
export const queue = <E extends Event.Any>(name: string, options: ForeignOptions<E>): ForeignEvents<E> =>
  make("Foreign.queue", { queues: [name], bindings: [] }, options, nameFault("a queue", name))

/**
 * The messages of an exchange that another system declared: the subscriber's own queue is bound to it. `binding` says what
 * kind of exchange it is and what it routes by. Bindings stay when the subscriber stops, so that it misses nothing.
 *
 * @example
 * ```ts
 * import { Event, Foreign, Subscriber } from "@eduflow/events"
 * import { Effect, Schema } from "effect"
 *
 * const OrderCreated = Event.make("shop.order.created", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })
 *
 * export const Invoices = Subscriber.layer("billing.invoices", {
 *   events: Foreign.exchange("shop", { topic: "order.#" }, { types: { "order.CREATED": OrderCreated }, onUnknownType: "skip" }),
 *   handler: (event) => Effect.log(`invoice for ${event.data.orderId}`)
 * })
 * ```
 */
export const exchange = <E extends Event.Any>(
  name: string,
  binding: ExchangeBinding,
  options: ForeignOptions<E>
): ForeignEvents<E> => {
  const nameIsWrong =
    name === ""
      ? invalid("events", "the default exchange cannot be bound", "Use Foreign.queue with the name of the queue")
      : nameFault("an exchange", name)
  const bindings = nameIsWrong ?? bindingsOf(name, binding)
  return bindings instanceof SubscriberInvalid
    ? make("Foreign.exchange", { bindings: [], queues: [] }, options, bindings)
    : make("Foreign.exchange", { bindings, queues: [] }, options, undefined)
}

const kinds: Kinds.Kinds = {
  types: Kinds.required({
    expected: 'the contract of each type, such as { "order_created": OrderCreated }',
    holds: (value) => Predicate.isObject(value) && !Array.isArray(value)
  }),
  codec: {
    expected: "a codec, such as Foreign.json()",
    holds: (value) =>
      Predicate.isObject(value) && Predicate.isFunction(value["read"]) && Predicate.isFunction(value["write"])
  },
  onUnknownType: Kinds.oneOf("wait", "skip")
} satisfies Kinds.KindsOf<ForeignOptions<Event.Any>>

const make = <E extends Event.Any>(
  call: string,
  from: ForeignPlaces,
  options: ForeignOptions<E>,
  fault: SubscriberInvalid | undefined
): ForeignEvents<E> => {
  const wrong = fault ?? optionFault(call, options)
  const {
    codec = Codecs.json(),
    onUnknownType = "wait",
    types
  }: ForeignOptions<E> = wrong === undefined ? options : { types: {} }
  return { [TypeId]: TypeId, from, codec, types, onUnknownType, fault: wrong }
}

const optionFault = (call: string, options: unknown): SubscriberInvalid | undefined => {
  const fault = Kinds.faultOf(options, kinds)
  return fault === undefined ? undefined : invalid(`events: ${call}.${fault.option}`, fault.problem, fault.remedy)
}

const invalid = (option: string, problem: string, remedy: string): SubscriberInvalid =>
  new SubscriberInvalid({ option, problem, remedy })

const nameFault = (what: string, name: unknown): SubscriberInvalid | undefined =>
  typeof name === "string" && name !== "" && Buffer.byteLength(name) <= maxNameBytes
    ? undefined
    : invalid("events", `${shown(name)} is no name of ${what}`, `Give the name of ${what}, of 1 to 255 bytes`)

/** Names and routing keys are short strings of AMQP. */
const maxNameBytes = 255

const bindingsOf = (name: string, binding: ExchangeBinding): ReadonlyArray<ForeignBinding> | SubscriberInvalid => {
  const one = (routingKey: string, args: ForeignBinding["arguments"] = {}): ForeignBinding => ({
    exchange: name,
    routingKey,
    arguments: args
  })
  if (!Predicate.isObject(binding)) return noBinding(binding)
  if ("topic" in binding) return keysOf("topic", binding.topic, one)
  if ("direct" in binding) return keysOf("direct", binding.direct, one)
  if ("fanout" in binding) return [one("")]
  if ("headers" in binding) return [one("", { ...binding.headers, "x-match": binding.match ?? "all" })]
  if (!("consistentHash" in binding)) return noBinding(binding)
  const { consistentHash } = binding
  return Number.isSafeInteger(consistentHash) && consistentHash >= 1
    ? [one(String(consistentHash))]
    : invalid(
        "events",
        `a weight of ${shown(consistentHash)} is not a whole number from 1 up`,
        "Give 1 for an even share"
      )
}

const noBinding = (binding: unknown): SubscriberInvalid =>
  invalid(
    "events",
    `${shown(binding)} does not say what the exchange routes by`,
    'Give { topic: "order.#" }, { direct: ["created"] }, { fanout: true }, { headers: { kind: "order" } } or { consistentHash: 1 }, by the kind of the exchange'
  )

const keysOf = (
  kind: "topic" | "direct",
  keys: string | ReadonlyArray<string>,
  one: (routingKey: string) => ForeignBinding
): ReadonlyArray<ForeignBinding> | SubscriberInvalid => {
  const list: ReadonlyArray<unknown> = Array.isArray(keys) ? keys : [keys]
  const wrong = list.find((key) => typeof key !== "string" || Buffer.byteLength(key) > maxNameBytes)
  if (list.length > 0 && wrong === undefined) return list.map((key) => one(String(key)))
  return invalid(
    "events",
    list.length === 0 ? `no ${kind} key is given` : `${shown(wrong)} is no routing key of at most 255 bytes`,
    kind === "topic" ? 'Give patterns such as "order.#"' : "Give the routing keys that are published"
  )
}
