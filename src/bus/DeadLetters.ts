/**
 * What could not be handled: counted, listed, sent back to its subscriber, or thrown away. A reader
 * holds what it reads and returns it by closing its channel, so looking costs nothing; replaying and
 * discarding acknowledge one by one, after the copy is confirmed.
 *
 * Two readers of one queue at once see disjoint parts of it.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { Broker, type DeadLetterSource, type Delivery } from "./Broker.ts"
import { BrokerError, BrokerRefused } from "./BrokerError.ts"
import { DeadLettersError } from "./BusError.ts"
import * as Codec from "../event/Codec.ts"
import * as Diagnosis from "./Diagnosis.ts"
import * as Door from "./Door.ts"
import { CurrentIds } from "./Ids.ts"
import * as Outbox from "./Outbox.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"

/** One dead letter: why it is here, and what it was. */
export interface DeadLetter extends Diagnosis.Diagnosis {
  /** The original bytes. */
  readonly body: Buffer
  readonly headers: Readonly<Record<string, unknown>>
  /** W3C trace of the event. */
  readonly traceparent: string | undefined
}

/** Which dead letters; all parts must fit. */
export interface Selection {
  readonly ids?: ReadonlyArray<string>
  readonly event?: string
  readonly reason?: Diagnosis.DeadLetterReason
  readonly errorTag?: string
  /** At most so many. Default 100 for `list`, all for the others. */
  readonly limit?: number
}

/** A subscriber's name, or where delayed events end that nobody wanted when they were due. */
export type Source = string | typeof undeliverable
export const undeliverable: unique symbol = Symbol.for("@eduflow/events/undeliverable")

export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    readonly count: (source: Source) => Effect.Effect<number, DeadLettersError>
    /** Looks without taking. */
    readonly list: (source: Source, selection?: Selection) => Effect.Effect<ReadonlyArray<DeadLetter>, DeadLettersError>
    /**
     * Sends them to their subscriber, and to no other, as fresh events: attempts start again, the
     * history is kept. Undeliverable events are published again. Answers how many.
     */
    readonly replay: (source: Source, selection?: Selection) => Effect.Effect<number, DeadLettersError>
    /** Throws them away. Answers how many. */
    readonly discard: (source: Source, selection?: Selection) => Effect.Effect<number, DeadLettersError>
  }
>()("@eduflow/events/bus/DeadLetters") {
  static readonly layer: Layer.Layer<DeadLetters, never, Broker> = Layer.effect(
    DeadLetters,
    Effect.suspend(() => make)
  )
}

const listed = { count: 100, bytes: 8 * 1024 * 1024 }
const copies = { count: 64, bytes: 8 * 1024 * 1024 }

const make = Effect.gen(function* () {
  const broker = yield* Broker
  const clock = yield* Clock.Clock
  const ids = yield* CurrentIds

  /** Reads what there was at the start, once, and shows what fits the selection to `each`. */
  const scan = (
    source: Source,
    selection: Selection,
    limit: number,
    each: (letter: DeadLetter, delivery: Delivery) => Effect.Effect<boolean, BrokerError>
  ) =>
    Effect.gen(function* () {
      const reader = yield* broker.readDeadLetters(sourceOf(source))
      let taken = 0
      for (let seen = 0; seen < reader.count && taken < limit; seen++) {
        const delivery = yield* reader.next
        if (delivery === undefined) break
        const letter = letterOf(delivery, source)
        if (!selected(letter, selection)) continue
        taken++
        if (!(yield* each(letter, delivery))) break
      }
      return taken
    }).pipe(Effect.scoped, told(source))

  const resend = (outbox: Outbox.Outbox, delivery: Delivery, letter: DeadLetter, source: Source, replayId: string) =>
    Effect.callback<Outbox.Result>((resume) => {
      const { properties } = delivery
      const headers = { ...RuntimeHeaders.userHeaders(delivery), ...RuntimeHeaders.traceHeaders(delivery) }
      const withdraw = outbox.submit({
        message: {
          to:
            source === undeliverable
              ? { _tag: "Event", name: letter.eventType }
              : { _tag: "Subscriber", name: source, seconds: 0 },
          key: undefined,
          body: delivery.body,
          properties: {
            messageId: letter.eventId,
            type: letter.eventType,
            timestamp: properties.timestamp ?? clock.currentTimeMillisUnsafe(),
            appId: properties.appId ?? "",
            correlationId: properties.correlationId,
            contentType: properties.contentType ?? Codec.contentType
          },
          headers:
            source === undeliverable
              ? headers
              : {
                  ...headers,
                  ...RuntimeHeaders.write({
                    ...RuntimeHeaders.fresh,
                    failures: letter.failures,
                    replays: letter.replays + 1,
                    replayId
                  })
                }
        },
        bytes: delivery.body.length,
        mandatory: true,
        deadline: clock.currentTimeMillisUnsafe() + 15_000,
        privileged: true,
        done: (result) => resume(Effect.succeed(result))
      })
      return Effect.sync(withdraw)
    }).pipe(
      Effect.flatMap((result) =>
        result._tag === "Confirmed"
          ? Effect.sync(delivery.ack)
          : Effect.fail(
              new BrokerError({ reason: new BrokerRefused({ operation: "replay", detail: result.reason.message }) })
            )
      )
    )

  return DeadLetters.of({
    count: (source) => broker.deadLetterDepth(sourceOf(source)).pipe(told(source)),
    list: Effect.fn("DeadLetters.list")(function* (source: Source, selection: Selection = {}) {
      const found: Array<DeadLetter> = []
      let bytes = 0
      yield* scan(source, selection, selection.limit ?? listed.count, (letter) =>
        Effect.sync(() => {
          found.push(letter)
          bytes += letter.body.length
          return bytes < listed.bytes
        })
      )
      return found
    }),
    replay: Effect.fn("DeadLetters.replay")(function* (source: Source, selection: Selection = {}) {
      const replayId = ids.next(clock.currentTimeMillisUnsafe())
      const outbox = yield* Outbox.make(broker, Door.make(copies), () => {})
      return yield* scan(source, selection, selection.limit ?? Number.POSITIVE_INFINITY, (letter, delivery) =>
        Effect.as(resend(outbox, delivery, letter, source, replayId), true)
      )
    }, Effect.scoped),
    discard: Effect.fn("DeadLetters.discard")(function* (source: Source, selection: Selection = {}) {
      return yield* scan(source, selection, selection.limit ?? Number.POSITIVE_INFINITY, (_, delivery) =>
        Effect.sync(() => {
          delivery.ack()
          return true
        })
      )
    })
  })
})

const sourceOf = (source: Source): DeadLetterSource =>
  source === undeliverable ? { _tag: "Undeliverable" } : { _tag: "Subscriber", name: source }

const nameOf = (source: Source): string => (source === undeliverable ? "undeliverable" : source)

const told = (source: Source) =>
  Effect.mapError((error: BrokerError) => new DeadLettersError({ source: nameOf(source), reason: error.reason }))

const letterOf = (delivery: Delivery, source: Source): DeadLetter => {
  const diagnosis = Diagnosis.read(delivery, nameOf(source))
  const { traceparent } = delivery.headers
  return {
    ...diagnosis,
    reason: source === undeliverable && diagnosis.reason === "Foreign" ? "Undeliverable" : diagnosis.reason,
    body: delivery.body,
    headers: delivery.headers,
    traceparent: typeof traceparent === "string" ? traceparent : undefined
  }
}

const selected = (letter: DeadLetter, { errorTag, event, ids, reason }: Selection): boolean =>
  (ids === undefined || ids.includes(letter.eventId)) &&
  (event === undefined || event === letter.eventType) &&
  (reason === undefined || reason === letter.reason) &&
  (errorTag === undefined || errorTag === letter.error.tag)
