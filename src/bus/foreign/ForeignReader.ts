/**
 * Turns a message of another system into an event of ours: its codec says what it is, its type names a contract, and from then
 * on it is a CloudEvent like every other. So retries, dead letters, order and replay know no other form.
 *
 * Copies of an event have this form already. A message that could not be read keeps its own bytes, also as a copy or a dead
 * letter, together with its route: it is read anew each time that it comes.
 */
import type * as Clock from "effect/Clock"
import * as Result from "effect/Result"
import { bytesOf } from "../../event/Body.ts"
import type * as Event from "../../event/Event.ts"
import { InvalidEvent, UnknownEvent } from "../../event/EventError.ts"
import * as ForeignCodec from "../../event/foreign/ForeignCodec.ts"
import * as Limits from "../../event/Limits.ts"
import * as Later from "../../event/standard/Later.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type { Delivery } from "../port/Broker.ts"
import type { ForeignRoute } from "../port/ForeignPlace.ts"
import * as ForeignMark from "../send/ForeignMark.ts"
import { anyType, type ForeignEvents } from "../subscriber/ForeignEvents.ts"
import type { EventIds } from "../support/EventIds.ts"

/** Sources come from outside: the starts of bodies are remembered for this many. */
const maxEncoders = 200

type Encoder = ReturnType<typeof WireFormat.encoder>

export interface ReaderParts {
  readonly clock: Clock.Clock
  readonly ids: EventIds
  /** Whether events are handled in the order of their keys. */
  readonly isOrdered: boolean
  /** Called for each message whose type the subscriber skips. */
  readonly onSkipped: (type: string) => void
}

export class ForeignReader {
  private readonly foreign: ForeignEvents<Event.Any>
  private readonly clock: Clock.Clock
  private readonly ids: EventIds
  private readonly isOrdered: boolean
  private readonly onSkipped: (type: string) => void
  private readonly encoders = new Map<string, Encoder>()

  constructor(foreign: ForeignEvents<Event.Any>, { clock, ids, isOrdered, onSkipped }: ReaderParts) {
    this.foreign = foreign
    this.clock = clock
    this.ids = ids
    this.isOrdered = isOrdered
    this.onSkipped = onSkipped
  }

  /** The delivery of the event; undefined when it was acknowledged, because the subscriber skips its type. */
  read(delivery: Delivery): Delivery | undefined {
    const original = ForeignMark.restored(delivery)
    const { route } = original
    if (route === undefined) return delivery
    const result = ForeignCodec.read(this.foreign.codec, messageOf(original, route))
    if (Result.isFailure(result)) {
      const { expected, path } = result.failure
      return refused(original, InvalidEvent.of(original.properties.type ?? "?", path, expected))
    }
    const { types } = this.foreign
    const { type } = result.success
    const contract = Object.hasOwn(types, type) ? types[type] : types[anyType]
    if (contract === undefined && type === "") return refused(original, InvalidEvent.of("?", "type", noType))
    if (contract !== undefined) return this.translated(original, route, result.success, contract)
    if (this.foreign.onUnknownType === "wait") return refused(original, new UnknownEvent({ event: type }))
    delivery.ack()
    this.onSkipped(type)
    return undefined
  }

  private translated(
    original: Delivery,
    route: ForeignRoute,
    event: ForeignCodec.ForeignEvent,
    contract: Event.Any
  ): Delivery {
    const { properties } = original
    const now = this.clock.currentTimeMillisUnsafe()
    const id = event.id ?? given(properties.messageId) ?? this.ids.next(now)
    if (!Limits.fits(id)) return refused(original, InvalidEvent.of(contract.name, "id", "expected at most 255 bytes"))
    const source = given(event.source) ?? given(properties.appId) ?? (route.exchange || route.routingKey || "unknown")
    const time = timeOf(event) ?? properties.timestamp ?? now
    const correlationId = event.correlationId ?? given(properties.correlationId)
    const version = event.version ?? contract.version
    const key = keyOf(contract, version, event.data)
    if (key === later && this.isOrdered) return refused(original, InvalidEvent.of(contract.name, "data", noKeyYet))
    let body: string
    try {
      const fields = { ...event, id, time, correlationId, version, key: key === later ? undefined : key }
      body = this.bodyOf(contract, source, fields)
    } catch {
      return refused(original, InvalidEvent.of(contract.name, "data", "expected data that JSON can hold"))
    }
    return {
      ...original,
      body,
      properties: {
        messageId: id,
        type: contract.name,
        timestamp: time,
        appId: Limits.shortText(source),
        correlationId,
        contentType: WireFormat.contentType
      },
      route: undefined,
      original
    }
  }

  private bodyOf(
    contract: Event.Any,
    source: string,
    { actor, causationId, correlationId, data, id, key, tenant, time, version }: Readable
  ): string {
    const fields = { id, time, key, correlationId, causationId, actor, tenant }
    const encode = this.encoderOf(contract, version, source)
    if (!(data instanceof Uint8Array)) return encode(fields, data)
    const event: unknown = JSON.parse(encode(fields, undefined))
    return JSON.stringify({
      ...Object(event),
      data: undefined,
      datacontenttype: "application/octet-stream",
      data_base64: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")
    })
  }

  private encoderOf(contract: Event.Any, version: number, source: string): Encoder {
    const key = `${contract.name} ${version} ${source}`
    let encoder = this.encoders.get(key)
    if (encoder === undefined) {
      if (this.encoders.size >= maxEncoders) this.encoders.clear()
      encoder = WireFormat.encoder(version === contract.version ? contract : { ...contract, version }, source)
      this.encoders.set(key, encoder)
    }
    return encoder
  }
}

const noType =
  'expected a property `type`, a routing key, or a `type` in the options of its codec; list "*" where every message is the same'

const noKeyYet =
  'data that is validated at once, because its key decides the order: its contract validates asynchronously. Use a schema that does not, or ordering: "none"'

/** The key is known when the data is validated, which takes its time. */
const later: unique symbol = Symbol("later")

/** Letters are found by the key. An event without valid data has none. */
const keyOf = (contract: Event.Any, version: number, data: unknown): string | typeof later | undefined => {
  if (!contract.declaresKey) return undefined
  const decoded = contract.dataCodec.decode(version, data)
  if (Later.waiting(decoded) !== undefined) return later
  if (Result.isFailure(decoded)) return undefined
  try {
    // Contracts come from outside of TypeScript too.
    const key: unknown = contract.keyOf(decoded.success)
    return typeof key === "string" ? key : undefined
  } catch {
    return undefined
  }
}

interface Readable extends Omit<ForeignCodec.ForeignEvent, "id" | "time" | "version"> {
  readonly id: string
  readonly key: string | undefined
  readonly time: number
  readonly version: number
}

const given = (text: string | undefined): string | undefined => (text === "" ? undefined : text)

const timeOf = ({ time }: ForeignCodec.ForeignEvent): number | undefined => {
  const millis = time?.getTime()
  return millis === undefined || Number.isNaN(millis) ? undefined : millis
}

/** What cannot be read, or has no contract here, is settled by its own bytes. */
const refused = (original: Delivery, refusal: InvalidEvent | UnknownEvent): Delivery => ({
  ...original,
  signed: false,
  refusal
})

const messageOf = ({ body, headers, properties }: Delivery, route: ForeignRoute): ForeignCodec.ForeignMessage => ({
  body: bytesOf(body),
  contentType: properties.contentType,
  contentEncoding: properties.contentEncoding,
  messageId: given(properties.messageId),
  type: given(properties.type),
  time: properties.timestamp === undefined ? undefined : new Date(properties.timestamp),
  appId: given(properties.appId),
  correlationId: given(properties.correlationId),
  headers: ForeignMark.plainHeaders(headers),
  exchange: route.exchange,
  routingKey: route.routingKey
})
