/**
 * How a delivery that was not handled leaves its queue: a copy is built and confirmed, then the original is
 * acknowledged, never the other way round, so that no event is lost between the two.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import { sizeOf } from "../../event/Body.ts"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type * as Log from "../../observe/Log.ts"
import {
  type Address,
  type Broker,
  type Delivery,
  type Headers,
  maxDelaySeconds,
  type Outgoing,
  type SubscriberSpec
} from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import * as Diagnosis from "../send/Diagnosis.ts"
import * as ForeignMark from "../send/ForeignMark.ts"
import type { Outbox } from "../send/Outbox.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import { type Copy, CopySender } from "./CopySender.ts"
import type { RefusedCopies } from "./RefusedCopies.ts"

/**
 * Each returns whether it was done. If not, the delivery is lost and comes again. A copy that the broker never takes is
 * done too: the broker dead-letters the original itself.
 */
export interface Copies {
  /** Sends it to its subscriber again after at least `millis`, then acknowledges the original. */
  readonly delay: (delivery: Delivery, source: CopySource, millis: number) => Effect.Effect<boolean>
  /** The same where the original may stay as well. Returns false also if it does, because the broker refuses the copy. */
  readonly tryDelay: (delivery: Delivery, source: CopySource, millis: number) => Effect.Effect<boolean>
  /** Moves a message of another system to its subscriber, then acknowledges it. In order, none overtakes one that is sent again. */
  readonly take: (delivery: Delivery, source: CopySource, isOrdered: boolean) => Effect.Effect<boolean>
  /** Moves it to the parked queue, then acknowledges the original. */
  readonly park: (delivery: Delivery, source: CopySource, place: RuntimeHeaders.Place) => Effect.Effect<boolean>
  /** Moves it to the dead-letter queue, then acknowledges the original. */
  readonly deadLetter: (
    delivery: Delivery,
    source: CopySource,
    diagnosis: Diagnosis.Diagnosis
  ) => Effect.Effect<boolean>
  /** Sends a message of the runtime itself to whichever process is active for the subscriber. */
  readonly sendControl: (message: ControlCopy) => Effect.Effect<void>
}

export interface ControlCopy {
  readonly id: string
  readonly type: string
  readonly bytes: Buffer
  readonly headers: Headers
  /** It is delivered after this delay. */
  readonly seconds: number
}

/** What a copy is built from besides its body. */
export interface CopySource {
  readonly subscriber: string
  readonly id: string
  readonly type: string
  readonly source: string
  readonly key: string | undefined
  readonly time: number
  readonly correlationId: string | undefined
  /** The span that its log lines belong to. */
  readonly span?: Tracer.AnySpan | undefined
  /** What the copy will say that the event has been through. */
  readonly progress: RuntimeHeaders.Progress
}

/** A message of the runtime itself to whichever process is active for the subscriber, without its headers. */
export const controlMessage = (
  { bytes, id, seconds, type }: ControlCopy,
  subscriber: string,
  timestamp: number
): Omit<Outgoing, "headers"> => ({
  to: { _tag: "Subscriber", name: subscriber, seconds },
  key: undefined,
  body: bytes,
  properties: { messageId: id, type, timestamp, appId: subscriber, contentType: WireFormat.contentType }
})

/** A hundred years. */
const maxWaitSeconds = 100 * 365 * 24 * 60 * 60

const noHeaders: Headers = Object.freeze({})
const notLost = (): boolean => false

/** One for the whole bus; the result makes the copies of one subscriber. */
export const make = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  outbox: Outbox,
  log: Log.Log,
  refused: RefusedCopies
) {
  const clock = yield* Clock.Clock
  const sender = new CopySender(outbox, log, refused)
  return (spec: SubscriberSpec): Copies => new SubscriberCopies(spec, sender, broker, clock)
})

class SubscriberCopies implements Copies {
  private readonly subscriber: string
  private readonly sender: CopySender
  private readonly repair: Effect.Effect<void, BrokerError>
  private readonly repairParked: Effect.Effect<void, BrokerError>
  private readonly clock: Clock.Clock
  private readonly passOf: (seconds: number) => number

  constructor(spec: SubscriberSpec, sender: CopySender, broker: Broker["Service"], clock: Clock.Clock) {
    this.subscriber = spec.name
    this.sender = sender
    this.repair = broker.declare(spec)
    this.repairParked = broker.declare({ ...spec, parking: true })
    this.clock = clock
    this.passOf = broker.passOf ?? ((seconds) => Math.min(seconds, maxDelaySeconds))
  }

  delay(delivery: Delivery, source: CopySource, millis: number): Effect.Effect<boolean> {
    return this.delayed(delivery, source, millis, false)
  }

  tryDelay(delivery: Delivery, source: CopySource, millis: number): Effect.Effect<boolean> {
    return this.delayed(delivery, source, millis, true)
  }

  private delayed(delivery: Delivery, source: CopySource, millis: number, isOptional: boolean): Effect.Effect<boolean> {
    // An infinite delay is a number too, but no header may be infinite: the broker would close the connection.
    const seconds = Number.isNaN(millis) ? 1 : Math.min(Math.max(1, Math.ceil(millis / 1000)), maxWaitSeconds)
    const dueAt = this.clock.currentTimeMillisUnsafe() + seconds * 1000
    const build = (): Copy => {
      // A delay that is longer than one pass through the broker takes several.
      const pass = this.passOf(seconds)
      const due = seconds > pass ? dueAt : undefined
      const to: Address = { _tag: "Subscriber", name: source.subscriber, seconds: pass }
      const leastHeaders = () => RuntimeHeaders.write({ ...source.progress, due, failures: [] })
      const headers = RuntimeHeaders.write({ ...source.progress, due })
      return { ...this.copyOf(to, delivery, source, headers, leastHeaders), isOptional, again: build }
    }
    return this.move(delivery, build())
  }

  take(delivery: Delivery, source: CopySource, isOrdered: boolean): Effect.Effect<boolean> {
    const to: Address = { _tag: "Subscriber", name: source.subscriber, seconds: 0 }
    const copy = this.copyOf(to, delivery, source, noHeaders, () => noHeaders)
    return this.move(delivery, { ...copy, isOrdered })
  }

  park(delivery: Delivery, source: CopySource, place: RuntimeHeaders.Place): Effect.Effect<boolean> {
    const placed = RuntimeHeaders.writePlace(place)
    const headers = { ...RuntimeHeaders.write(source.progress), ...placed }
    const to: Address = { _tag: "Parked", subscriber: source.subscriber }
    const leastHeaders = () => ({ ...RuntimeHeaders.write({ ...source.progress, failures: [] }), ...placed })
    return this.move(delivery, this.copyOf(to, delivery, source, headers, leastHeaders))
  }

  deadLetter(delivery: Delivery, source: CopySource, diagnosis: Diagnosis.Diagnosis): Effect.Effect<boolean> {
    const to: Address = { _tag: "DeadLetter", subscriber: source.subscriber }
    const leastHeaders = () =>
      Diagnosis.write({ ...diagnosis, failures: [], error: { tag: diagnosis.error.tag, message: "" } })
    return this.move(delivery, this.copyOf(to, delivery, source, Diagnosis.write(diagnosis), leastHeaders))
  }

  sendControl(copy: ControlCopy): Effect.Effect<void> {
    const { bytes, headers } = copy
    return Effect.asVoid(
      this.sender.store({
        subscriber: this.subscriber,
        lost: notLost,
        span: undefined,
        bytes: bytes.length,
        message: controlMessage(copy, this.subscriber, this.clock.currentTimeMillisUnsafe()),
        headers,
        leastHeaders: () => headers,
        leave: undefined,
        isOptional: false,
        isOrdered: false,
        repair: this.repair
      })
    )
  }

  /** Stores the copy, then acknowledges the original. */
  private move(delivery: Delivery, copy: Copy): Effect.Effect<boolean> {
    return Effect.map(this.sender.store(copy), (end) => {
      if (end === "stored") delivery.ack()
      // What the broker dead-letters is settled as well, but nothing arrives where its key is parked.
      return end === "stored" || (end === "left" && copy.message.to._tag !== "Parked")
    })
  }

  private copyOf(to: Address, delivery: Delivery, source: CopySource, own: Headers, leastHeaders: () => Headers): Copy {
    return {
      isOptional: false,
      isOrdered: false,
      subscriber: source.subscriber,
      lost: delivery.lost,
      span: source.span,
      bytes: sizeOf(delivery.body),
      message: {
        to,
        key: source.key,
        body: delivery.body,
        properties: {
          messageId: source.id,
          type: source.type,
          // A body may name a time before 1970; the property has no sign.
          timestamp: Math.max(0, source.time),
          // The body has the whole of it.
          appId: Limits.shortText(source.source),
          correlationId: source.correlationId,
          contentType: delivery.properties.contentType ?? WireFormat.foreignContentType,
          contentEncoding: delivery.properties.contentEncoding
        }
      },
      headers: {
        ...RuntimeHeaders.userHeaders(delivery),
        ...RuntimeHeaders.contextHeaders(delivery),
        ...ForeignMark.headersOf(delivery),
        ...own
      },
      leastHeaders: () => ({
        ...RuntimeHeaders.eventHeaders(delivery),
        ...ForeignMark.headersOf(delivery),
        ...leastHeaders()
      }),
      leave: delivery.reject === undefined ? undefined : () => delivery.reject?.(delivery),
      repair: to._tag === "Parked" ? this.repairParked : this.repair
    }
  }
}
