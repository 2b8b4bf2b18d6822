/**
 * A walk over the dead letters of one queue. It reads the letters that the queue had when the walk began, once,
 * and holds them until it ends; letters that were not acknowledged by then stay in the queue. Two walks at the
 * same time see disjoint parts.
 */
import * as Effect from "effect/Effect"
import type { Broker, Delivery } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import { type DeadLetter, read, type Source, sourceOf } from "./DeadLetter.ts"

/** The most that one page of letters holds. */
export const page = { count: 100, bytes: 8 * 1024 * 1024 }

export interface Walk<E> {
  readonly source: Source
  /** Whether letters need their keys, for which their bodies are read. Default true. */
  readonly withKeys?: boolean
  /** How many letters are processed at once; 1 keeps their order. */
  readonly workers: number
  /** Called with the number of letters. */
  readonly begin?: (count: number) => void
  /** Returns whether to go on. */
  readonly each: (letter: DeadLetter, delivery: Delivery) => Effect.Effect<boolean, E>
  /** Runs at the end, however the walk ends, while the letters are still held. */
  readonly end?: Effect.Effect<void>
}

export const walk = <E>(
  broker: Broker["Service"],
  { begin, each, end, source, withKeys, workers }: Walk<E>
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
        if (delivery === undefined) left = 0
        else {
          if (!(yield* each(read(delivery, source, withKeys), delivery))) left = 0
          reader.keep(delivery)
        }
      }
    })
    const count = Math.min(workers, left)
    yield* count === 1
      ? worker
      : Effect.forEach(Array.from({ length: count }), () => worker, { concurrency: count, discard: true })
  }).pipe(Effect.scoped)

/**
 * Whether all letters that returned from an earlier walk have been passed. A broker puts returned letters behind
 * the ones that returned before and in front of the rest: a walk that stops earlier changes the order of the next.
 */
export const beyondReturned = (delivery: Delivery): boolean => !delivery.redelivered
