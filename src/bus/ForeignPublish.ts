/** Publishes into exchanges and queues of other systems, in their form: confirmed, like every publish. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Trace from "../observe/Trace.ts"
import type { Actor } from "../event/Actor.ts"
import * as Event from "../event/Event.ts"
import type { BaggageInput } from "../event/flow/Baggage.ts"
import * as Codecs from "../event/foreign/Codecs.ts"
import type { EventToWrite, ForeignCodec, WrittenMessage } from "../event/foreign/ForeignCodec.ts"
import * as Limits from "../event/Limits.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import { millisOf } from "../event/options/OptionNames.ts"
import { BusInternals } from "./BusInternals.ts"
import { EventBus } from "./EventBus.ts"
import type { Address, Headers } from "./port/Broker.ts"
import { Origin } from "./publish/Origin.ts"
import * as PublishChecks from "./publish/PublishChecks.ts"
import { type Confirmed, optionFault } from "./publish/PublishOptions.ts"
import { type Given, givenOf, timeoutOf } from "./publish/Validating.ts"
import type { Outcome } from "./send/Outcome.ts"
import { PublishError } from "./send/PublishError.ts"
import { CurrentHandling } from "./support/CurrentHandling.ts"
import { CurrentIds } from "./support/EventIds.ts"
import * as Validation from "./support/Validation.ts"

/** Where another system expects a message. It must exist: nothing is declared. */
export type Target =
  | { readonly exchange: string; readonly routingKey: string }
  /** By way of the default exchange. */
  | { readonly queue: string }

export interface ForeignPublishOptions {
  /** The type in the words of the other system. Default: the name of the contract. */
  readonly type?: string
  /** The form of the message. Default: `Foreign.json()`. */
  readonly codec?: ForeignCodec
  /** Default: a new UUIDv7. */
  readonly id?: string
  /** Default within a handler: that of the event being handled. */
  readonly correlationId?: string
  /** Headers beside those of the codec: strings, finite numbers, booleans; 4 KiB together. */
  readonly headers?: Headers
  /** Fail with `Unroutable` when no queue takes it. Default true: a message for a system that does not get it is a fault. */
  readonly mandatory?: boolean
  /** Longest time until the outcome. Default 15 seconds. */
  readonly timeout?: Duration.Input
  /**
   * As in `bus.publish`: what flows goes along by default, the baggage as the header `baggage`, actor and tenant where the codec has a
   * place for them. Undefined stops it.
   */
  readonly actor?: Actor | undefined
  readonly tenant?: string | undefined
  readonly baggage?: BaggageInput | undefined
}

const kinds: Kinds.Kinds = {
  type: Kinds.text,
  codec: { expected: "a codec, such as Foreign.json()", holds: (value) => Predicate.hasProperty(value, "write") },
  id: Kinds.text,
  correlationId: Kinds.text,
  headers: Kinds.plain,
  mandatory: Kinds.bool,
  timeout: Kinds.time,
  actor: Kinds.plain,
  tenant: Kinds.text,
  baggage: Kinds.anything
} satisfies Kinds.KindsOf<ForeignPublishOptions>

export const optionNames: ReadonlySet<string> = new Set(Object.keys(kinds))

/**
 * Succeeds when RabbitMQ has stored the message in the queues of the other system that it was routed to. It fails with the same
 * reasons as `bus.publish`. The data is checked by the contract, and the contract's `publishers` are not: they are about our own events. Messages of
 * one key of the contract keep their order.
 *
 * @example
 * ```ts
 * import { Event, Foreign } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * const OrderPaid = Event.make("shop.order.paid", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })
 *
 * export const paid = (orderId: string) =>
 *   Foreign.publish({ queue: "orders_queue" }, OrderPaid, { orderId }, { type: "order_paid", codec: Foreign.nest() })
 * ```
 */
export const publish = <A>(
  to: Target,
  contract: Event.Event<string, unknown, A>,
  data: NoInfer<A>,
  options: ForeignPublishOptions = {}
): Effect.Effect<Confirmed, PublishError, EventBus> =>
  Effect.gen(function* () {
    yield* EventBus
    const now = yield* Clock.currentTimeMillis
    const context = yield* Effect.context<never>()
    const id = options?.id ?? (yield* CurrentIds).next(now)
    const refused = (path: string, expected: string) =>
      PublishError.refused(contract, options, () => id, { path, expected })
    // Callers come from outside of TypeScript too.
    if (!Predicate.hasProperty(contract, Event.TypeId))
      return yield* refused("event", "unknown event: expected a contract made by Event.make")
    const fault = Kinds.faultOf(options, kinds)
    if (fault !== undefined) return yield* refused(fault.option, `${fault.problem}. ${fault.remedy}`)
    const target = targetOf(to)
    if (target === undefined)
      return yield* refused("to", "expected { queue } or { exchange, routingKey }, of at most 255 bytes")
    const origin = new Origin(context, options)
    const correlationId = options.correlationId ?? Context.get(context, CurrentHandling)?.correlationId
    const { actor, baggage, tenant } = origin
    const { baggage: ownBaggage, headers } = options
    const badOption = optionFault(
      id,
      undefined,
      { correlationId, causationId: undefined, actor, tenant, baggage },
      { ...(headers !== undefined && { headers }), ...(ownBaggage !== undefined && { baggage: ownBaggage }) }
    )
    if (badOption !== undefined) return yield* refused(badOption.path, badOption.expected)
    const internals = yield* Effect.serviceOption(BusInternals)
    if (Option.isNone(internals))
      return yield* refused(
        "bus",
        "expected the bus of EventBusLive or of an EventBus layer, not another service in its place"
      )
    const { encoded, output } = yield* validated(contract, data, options)
    if (Result.isFailure(encoded))
      return yield* new PublishError({
        event: contract.name,
        id,
        reason: PublishChecks.invalidData(encoded.failure)
      })
    const type = options.type ?? contract.name
    const { source } = internals.value.encoded
    const key = keyOf(contract, output)
    const event = {
      type,
      id,
      source,
      time: new Date(now),
      key,
      correlationId,
      actor,
      tenant,
      data: data instanceof Uint8Array ? data : encoded.success
    }
    const written = write(options.codec ?? Codecs.json(), event)
    if (written === undefined) return yield* refused("codec", "it threw on this event")
    if (!Limits.fits(written.type ?? type)) return yield* refused("type", "expected at most 255 bytes")
    const outcome = yield* send(internals.value, contract.name, target, event, written, options, origin)
    if (outcome._tag !== "Confirmed") return yield* new PublishError({ event: contract.name, id, reason: outcome })
    return { id, routed: outcome.routed }
  })

/** Waits for the outcome; what was not sent when the caller is interrupted never will be. */
const send = (
  { encoded }: BusInternals["Service"],
  name: string,
  to: Address,
  { correlationId, id, key, source, time, type }: EventToWrite,
  written: WrittenMessage,
  { headers, mandatory = true, timeout = "15 seconds" }: ForeignPublishOptions,
  origin: Origin
): Effect.Effect<Outcome> =>
  Effect.flatMap(Effect.context<never>(), (context) =>
    Effect.callback((resume) => {
      const span = Trace.current(context)
      const submission = encoded.submit(
        {
          name,
          id,
          key,
          time: time.getTime(),
          source,
          correlationId,
          body: typeof written.body === "string" ? written.body : Buffer.from(written.body),
          headers: {
            ...origin.headers({ ...written.headers, ...headers }),
            ...(span !== undefined && Trace.inject(span))
          },
          mandatory,
          delaySeconds: 0,
          cache: false,
          foreign: {
            to,
            type: written.type ?? type,
            contentType: written.contentType,
            timeoutMillis: millisOf(timeout)
          }
        },
        (outcome) => resume(Effect.succeed(outcome))
      )
      return Effect.sync(() => submission.withdraw())
    })
  )

const isName = (value: unknown, least: number): value is string =>
  typeof value === "string" && value.length >= least && Limits.fits(value)

const targetOf = (to: unknown) => {
  if (!Predicate.isObject(to)) return undefined
  const { exchange, queue, routingKey } = to
  if (isName(queue, 1)) return { _tag: "Foreign", exchange: "", routingKey: queue } as const
  return isName(exchange, 1) && isName(routingKey, 0) ? ({ _tag: "Foreign", exchange, routingKey } as const) : undefined
}

/** What the data is sent as, and what its key is of. Validators of a Standard Schema may take as long as the publish. */
const validated = (
  { dataCodec, name }: Event.Any,
  data: unknown,
  { timeout }: ForeignPublishOptions
): Effect.Effect<Given> => {
  if (dataCodec.validate === undefined) return Effect.succeed({ output: data, encoded: dataCodec.encode(data) })
  const millis = timeoutOf(timeout, Validation.defaultMillis)
  return Effect.map(Validation.settled(name, dataCodec.validate(data), millis), givenOf)
}

/** A contract whose key throws has none here: the key orders, and is no part of the message. */
const keyOf = (contract: Event.Any, data: unknown): string | undefined => {
  try {
    return contract.declaresKey ? contract.keyOf(data) : undefined
  } catch {
    return undefined
  }
}

const write = (codec: ForeignCodec, event: Parameters<ForeignCodec["write"]>[0]): WrittenMessage | undefined => {
  try {
    return codec.write(event)
  } catch {
    return undefined
  }
}
