/**
 * One dead letter: why it is one, and what it was; and a walk over those of one queue.
 *
 * A walk reads what there was when it began, once, and holds what it read until it ends; what was not
 * acknowledged then goes back. Two walks at once see disjoint parts.
 */
import { Effect, Result } from "effect"
import { bytesOf } from "../event/Body.ts"
import * as Codec from "../event/Codec.ts"
import * as Limits from "../event/Limits.ts"
import type { Broker, DeadLetterSource, Delivery } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import * as Diagnosis from "./Diagnosis.ts"

/** One dead letter: why it is here, and what it was. */
export interface DeadLetter extends Diagnosis.Diagnosis {
  /** The original bytes. */
  readonly body: Buffer
  readonly headers: Readonly<Record<string, unknown>>
  /** Order key of the event, where its body can be read. */
  readonly key: string | undefined
  /** When it was published, in milliseconds since the epoch, as its publisher says. */
  readonly published: number | undefined
  /** W3C trace of the event. */
  readonly traceparent: string | undefined
}

/** A subscriber's name, or where delayed events end that nobody wanted when they were due. */
export type Source = string | typeof undeliverable
export const undeliverable: unique symbol = Symbol.for("@eduflow/events/undeliverable")

export const sourceOf = (source: Source): DeadLetterSource =>
  source === undeliverable ? { _tag: "Undeliverable" } : { _tag: "Subscriber", name: source }

export const nameOf = (source: Source): string => (source === undeliverable ? "undeliverable" : source)

/** `keyed` is whether its key is wanted. */
export const read = (delivery: Delivery, source: Source, keyed = true): DeadLetter => {
  const diagnosis = Diagnosis.read(delivery, nameOf(source))
  const { traceparent } = delivery.headers
  return {
    ...diagnosis,
    reason: source === undeliverable && diagnosis.reason === "Foreign" ? "Undeliverable" : diagnosis.reason,
    body: bytesOf(delivery.body),
    headers: delivery.headers,
    key: keyed ? keyOf(delivery) : undefined,
    published: delivery.properties.timestamp,
    traceparent: typeof traceparent === "string" ? traceparent : undefined
  }
}

const keyOf = ({ body }: Delivery): string | undefined =>
  Result.getOrUndefined(Result.map(Codec.parse(body, Limits.defaults), ({ key }) => key))

export interface Walk<E> {
  readonly source: Source
  /** Whether anybody asks for keys; letters are without them otherwise. */
  readonly keyed?: boolean
  /** How many letters are seen to at once; 1 keeps their order. */
  readonly workers: number
  /** Told how many letters there are. */
  readonly begin?: (count: number) => void
  /** Answers whether to go on. */
  readonly each: (letter: DeadLetter, delivery: Delivery) => Effect.Effect<boolean, E>
  /** Runs at the end, whatever it is, while what was read is still held. */
  readonly end?: Effect.Effect<void>
}

export const walk = <E>(
  broker: Broker["Service"],
  { begin, each, end, keyed, source, workers }: Walk<E>
): Effect.Effect<void, BrokerError | E> =>
  Effect.gen(function* () {
    const reader = yield* broker.readDeadLetters(sourceOf(source))
    if (end !== undefined) yield* Effect.addFinalizer(() => end)
    begin?.(reader.count)
    let left = reader.count
    const worker = Effect.gen(function* () {
      while (left > 0) {
        left--
        const delivery = yield* reader.next
        if (delivery === undefined || !(yield* each(read(delivery, source, keyed), delivery))) left = 0
      }
    })
    const count = Math.min(workers, left)
    yield* count === 1
      ? worker
      : Effect.forEach(Array.from({ length: count }), () => worker, { concurrency: count, discard: true })
  }).pipe(Effect.scoped)

/**
 * Whether all that came back from an earlier look has been passed. A broker puts what comes back behind
 * what came back before and in front of the rest: who stops earlier changes the order of the next look.
 */
export const beyondReturned = (delivery: Delivery): boolean => !delivery.redelivered
