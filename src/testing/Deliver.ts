/**
 * Delivers one event to one subscriber, through its queue, its decoding, its admission and its failure policy, and
 * reports how the delivery was settled.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { BusInternals } from "../bus/BusInternals.ts"
import type { BusFailure } from "../bus/delivery/FailureFeed.ts"
import { type Broker, inFlight, type Outgoing } from "../bus/port/Broker.ts"
import type { EventBus } from "../bus/EventBus.ts"
import { givenOf } from "../bus/publish/Validating.ts"
import * as Validation from "../bus/support/Validation.ts"
import type * as Diagnosis from "../bus/send/Diagnosis.ts"
import type { SubscriberStats } from "../bus/subscriber/Subscription.ts"
import { CurrentActor } from "../event/Actor.ts"
import { CurrentBaggage } from "../event/flow/Baggage.ts"
import { CurrentTenant } from "../event/flow/Tenant.ts"
import type { InvalidEvent } from "../event/EventError.ts"
import type * as Event from "../event/Event.ts"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import { TaggedError } from "../event/Tagged.ts"
import * as WireFormat from "../event/WireFormat.ts"
import type { NotSettled, Quiescence } from "./Quiescence.ts"

/** How a delivery was settled. */
export type Settlement =
  | { readonly _tag: "Handled" }
  /** The attempt failed; the next one runs after `retryIn`. */
  | {
      readonly _tag: "Retried"
      readonly attempt: number
      readonly error: Diagnosis.Failure
      readonly retryIn: Duration.Duration
    }
  /** It was given up. */
  | {
      readonly _tag: "DeadLettered"
      readonly reason: Diagnosis.DeadLetterReason
      readonly attempts: number
      readonly error: Diagnosis.Failure
    }
  /** The handler failed with `Later`, another process holds its claim, or the subscriber does not know the event. */
  | { readonly _tag: "Postponed" }
  /** The subscriber lists the event in `retired`. */
  | { readonly _tag: "Skipped" }
  /** With `idempotent`: it was handled before. */
  | { readonly _tag: "Duplicate" }

export interface DeliverOptions {
  /** Default a new one. */
  readonly id?: string
  /** Default the key of the contract. */
  readonly key?: string
  readonly headers?: Readonly<Record<string, string | number | boolean>>
}

/** No subscriber of this name runs on the bus. */
export class NoSuchSubscriber extends TaggedError<NoSuchSubscriber>()("NoSuchSubscriber", (Schema) => ({
  subscriber: Schema.String,
  known: Schema.Array(Schema.String)
})) {
  override get message(): string {
    const known = this.known.length === 0 ? "none" : this.known.join(", ")
    return `subscriber "${this.subscriber}" does not run: provide its layer with the bus, or fix its name (running: ${known})`
  }
}

const kinds: Kinds.Kinds = {
  id: Kinds.text,
  key: Kinds.text,
  headers: Kinds.plain
} satisfies Kinds.KindsOf<DeliverOptions>

export type DeliverError = NoSuchSubscriber | NotSettled | InvalidEvent | OptionInvalid.OptionInvalid

interface DeliverParts {
  readonly bus: EventBus["Service"]
  readonly internals: BusInternals["Service"]
  readonly broker: Broker["Service"]
  readonly quiescence: Quiescence
}

let delivered = 0

export const deliver = Effect.fnUntraced(function* (
  parts: DeliverParts,
  subscriber: string,
  event: Event.Any,
  data: unknown,
  options: DeliverOptions
) {
  const wrong = OptionInvalid.of("TestBus.deliver", options, kinds)
  if (wrong !== undefined) return yield* wrong
  const { broker, bus, internals, quiescence } = parts
  const subscription = yield* find(internals, subscriber)
  const message = yield* messageOf(subscriber, event, data, options)
  let failure: BusFailure | undefined
  yield* bus.failures.pipe(
    Stream.runForEach((next) =>
      Effect.sync(() => {
        if (next.subscriber === subscriber && next.id === message.properties.messageId) failure ??= next
      })
    ),
    Effect.forkScoped({ startImmediately: true })
  )
  const before = yield* subscription.stats
  yield* Effect.sync(() => broker.send(inFlight(message, () => {})))
  const settlement = Effect.map(subscription.stats, (now) =>
    failure === undefined ? settlementOf(before, now) : failed(failure)
  )
  yield* quiescence.until(Effect.map(settlement, (settled) => settled !== undefined))
  return (yield* settlement) ?? (yield* quiescence.notSettled(0))
}, Effect.scoped)

const find = Effect.fnUntraced(function* (internals: BusInternals["Service"], subscriber: string) {
  const subscriptions = yield* internals.subscriptions
  const found = subscriptions.find(({ name }) => name === subscriber)
  return found ?? (yield* new NoSuchSubscriber({ subscriber, known: subscriptions.map(({ name }) => name) }))
})

/** A message for this subscriber alone, as the bus would have published it. */
const messageOf = Effect.fnUntraced(function* (
  subscriber: string,
  event: Event.Any,
  data: unknown,
  { headers = {}, id = `delivered-${++delivered}`, key: ownKey }: DeliverOptions
) {
  const { encode, validate } = event.dataCodec
  const given =
    validate === undefined
      ? { output: data, encoded: encode(data) }
      : givenOf(yield* Validation.settled(event.name, validate(data), Validation.defaultMillis))
  // A publish has no version that could be unknown.
  const encoded = yield* Effect.fromResult(given.encoded as Result.Result<unknown, InvalidEvent>)
  const key = ownKey ?? event.keyOf(given.output)
  const time = yield* Clock.currentTimeMillis
  const [actor, tenant, baggage] = [yield* CurrentActor, yield* CurrentTenant, yield* CurrentBaggage]
  const fields = { id, time, key, correlationId: undefined, causationId: undefined, actor, tenant }
  return {
    to: { _tag: "Subscriber", name: subscriber, seconds: 0 },
    key,
    body: WireFormat.encoder(event, "test")(fields, encoded),
    properties: {
      messageId: id,
      type: event.name,
      timestamp: time,
      appId: "test",
      contentType: WireFormat.contentType
    },
    headers: baggage === undefined ? headers : { ...headers, baggage: baggage.text }
  } satisfies Outgoing
})

const failed = (failure: BusFailure): Settlement =>
  failure._tag === "Retried"
    ? { _tag: "Retried", attempt: failure.attempt, error: failure.error, retryIn: failure.retryIn }
    : { _tag: "DeadLettered", reason: failure.reason, attempts: failure.attempts, error: failure.error }

/** What the figures of the subscriber say of a delivery that did not fail. */
const settlementOf = (before: SubscriberStats, now: SubscriberStats): Settlement | undefined => {
  if (now.handled > before.handled) return { _tag: "Handled" }
  if (now.postponed > before.postponed) return { _tag: "Postponed" }
  if (now.skipped > before.skipped) return { _tag: "Skipped" }
  return now.duplicates > before.duplicates ? { _tag: "Duplicate" } : undefined
}
