/**
 * How a delivery that was not handled leaves its queue: a copy is built and confirmed, then the
 * original is acknowledged; never the other way round (P3). Copies pass a door of their own and are
 * never refused: they wait, and meanwhile the original stays unacknowledged.
 */
import { Clock, Effect, Random, type Tracer } from "effect"
import { sizeOf } from "../event/Body.ts"
import * as Codec from "../event/Codec.ts"
import type * as Log from "../observe/Log.ts"
import {
  type Address,
  type Broker,
  type Delivery,
  type Headers,
  maxDelaySeconds,
  type Outgoing,
  type SubscriberSpec
} from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type { PublishReason } from "./BusError.ts"
import type { Outbox } from "./Outbox.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"

/** Each answers whether it was done: what is lost meanwhile comes again and is settled then. */
export interface Settlement {
  /** Sends it to its subscriber again after at least `millis`, then acknowledges the original. */
  readonly delay: (delivery: Delivery, subject: Subject, millis: number) => Effect.Effect<boolean>
  /** Moves it to the queue of parked events, then acknowledges the original. */
  readonly park: (delivery: Delivery, subject: Subject, place: RuntimeHeaders.Place) => Effect.Effect<boolean>
  /** Moves it to the dead-letter queue, then acknowledges the original. */
  readonly deadLetter: (delivery: Delivery, subject: Subject, diagnosis: Diagnosis.Diagnosis) => Effect.Effect<boolean>
  /** Sends the subscriber, whichever process is active, a message of the runtime itself. */
  readonly tell: (message: ControlMessage) => Effect.Effect<void>
}

export interface ControlMessage {
  readonly id: string
  readonly type: string
  readonly bytes: Buffer
  readonly headers: Headers
  /** It comes so much later. */
  readonly seconds: number
}

/** A message on its way to be stored instead of another one. */
interface Copy {
  readonly subscriber: string
  readonly bytes: number
  readonly message: Omit<Outgoing, "headers">
  /** Whether the one that it stands for cannot be settled any more. */
  readonly lost: () => boolean
  /** What its lines in the log belong to. */
  readonly span?: Tracer.AnySpan | undefined
}

/** What a copy is made of besides the bytes. */
export interface Subject {
  readonly subscriber: string
  readonly id: string
  readonly type: string
  readonly source: string
  readonly key: string | undefined
  readonly time: number
  readonly correlationId: string | undefined
  /** What its lines in the log belong to. */
  readonly span?: Tracer.AnySpan | undefined
  /** What the copy will say it has been through. */
  readonly progress: RuntimeHeaders.Progress
}

/** A hundred years. */
const longestWaitSeconds = 100 * 365 * 24 * 60 * 60

const stored = Effect.succeed(true)
const notStored = Effect.succeed(false)

export const make = Effect.fnUntraced(function* (broker: Broker["Service"], outbox: Outbox, log: Log.Log) {
  const clock = yield* Clock.Clock

  /**
   * Until it is stored. A copy that reached no queue was not stored: its topology is repaired and it goes again.
   * Nearly each is stored at once, which takes one callback; the rest is for those that are not.
   */
  const store = (
    copy: Copy,
    headers: Headers,
    fallback: () => Headers,
    repair: Effect.Effect<void, BrokerError>,
    round = 0
  ): Effect.Effect<boolean> =>
    Effect.callback((resume) => {
      // Nobody can acknowledge it any more: the broker brings it again.
      if (copy.lost()) return resume(notStored)
      const withdraw = outbox.submit({
        message: { ...copy.message, headers },
        bytes: copy.bytes,
        mandatory: true,
        deadline: Number.POSITIVE_INFINITY,
        privileged: true,
        // A dead-letter queue that refuses must not take the room of other subscribers' copies (P5).
        tellsRejection: true,
        done: (result) =>
          resume(
            result._tag === "Confirmed" ? stored : again(copy, headers, fallback, repair, round, result.reason._tag)
          )
      })
      return Effect.sync(withdraw)
    })

  const again = Effect.fnUntraced(function* (
    copy: Copy,
    headers: Headers,
    fallback: () => Headers,
    repair: Effect.Effect<void, BrokerError>,
    round: number,
    reason: PublishReason["_tag"]
  ): Effect.fn.Return<boolean> {
    log.warning("a copy was not stored", {
      subscriber: copy.subscriber,
      event: copy.message.properties.type,
      id: copy.message.properties.messageId,
      to: copy.message.to._tag,
      span: copy.span,
      reason
    })
    yield* repair.pipe(
      Effect.catch((error) =>
        Effect.sync(() =>
          log.error("topology cannot be repaired", { subscriber: copy.subscriber, detail: error.message })
        )
      )
    )
    const jitter = yield* Random.next
    yield* Effect.sleep(Math.min(50 * 2 ** round, 10_000) * (0.5 + jitter / 2))
    // Headers that the wire does not take must not hold the event for ever.
    return yield* store(copy, reason === "Invalid" ? fallback() : headers, fallback, repair, round + 1)
  })

  const copyOf = (to: Address, delivery: Delivery, subject: Subject): Copy => ({
    subscriber: subject.subscriber,
    lost: delivery.lost,
    span: subject.span,
    bytes: sizeOf(delivery.body),
    message: {
      to,
      key: subject.key,
      body: delivery.body,
      properties: {
        messageId: subject.id,
        type: subject.type,
        // A body may say a time before 1970; the property has no sign.
        timestamp: Math.max(0, subject.time),
        appId: subject.source,
        correlationId: subject.correlationId,
        contentType: delivery.properties.contentType ?? Codec.contentType
      }
    }
  })

  return (spec: SubscriberSpec): Settlement => {
    const repair = broker.declare(spec)
    /** Stores the copy, then acknowledges the original. */
    const move = (to: Address, delivery: Delivery, subject: Subject, own: Headers, least: () => Headers) => {
      const headers = { ...RuntimeHeaders.userHeaders(delivery), ...RuntimeHeaders.traceHeaders(delivery), ...own }
      return Effect.map(store(copyOf(to, delivery, subject), headers, least, repair), (done) => {
        if (done) delivery.ack()
        return done
      })
    }
    return {
      delay: (delivery, subject, millis) => {
        // "For ever" is a number too: no header may be infinite, it would close the connection.
        const seconds = Number.isNaN(millis) ? 1 : Math.min(Math.max(1, Math.ceil(millis / 1000)), longestWaitSeconds)
        const first = Math.min(seconds, maxDelaySeconds)
        // What one pass cannot wait for waits in several.
        const due = seconds > maxDelaySeconds ? clock.currentTimeMillisUnsafe() + seconds * 1000 : undefined
        const progress = RuntimeHeaders.write({ ...subject.progress, due })
        const least = (): Headers => RuntimeHeaders.write({ ...subject.progress, due, failures: [] })
        return move(
          { _tag: "Subscriber", name: subject.subscriber, seconds: first },
          delivery,
          subject,
          progress,
          least
        )
      },
      park: (delivery, subject, place) => {
        const where = RuntimeHeaders.writePlace(place)
        const progress = { ...RuntimeHeaders.write(subject.progress), ...where }
        const least = (): Headers => ({ ...RuntimeHeaders.write({ ...subject.progress, failures: [] }), ...where })
        return move({ _tag: "Parked", subscriber: subject.subscriber }, delivery, subject, progress, least)
      },
      deadLetter: (delivery, subject, diagnosis) => {
        const why = Diagnosis.write(diagnosis)
        const least = (): Headers =>
          Diagnosis.write({ ...diagnosis, failures: [], error: { tag: diagnosis.error.tag, message: "" } })
        return move({ _tag: "DeadLetter", subscriber: subject.subscriber }, delivery, subject, why, least)
      },
      tell: ({ bytes, headers, id, seconds, type }) =>
        Effect.asVoid(
          store(
            {
              subscriber: spec.name,
              lost: () => false,
              bytes: bytes.length,
              message: {
                to: { _tag: "Subscriber", name: spec.name, seconds },
                key: undefined,
                body: bytes,
                properties: {
                  messageId: id,
                  type,
                  timestamp: clock.currentTimeMillisUnsafe(),
                  appId: spec.name,
                  contentType: Codec.contentType
                }
              }
            },
            headers,
            () => headers,
            repair
          )
        )
    }
  }
})
