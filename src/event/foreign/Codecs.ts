/**
 * The forms that other libraries write: plain JSON, NestJS microservices, MassTransit, CloudEvents in binary or structured
 * mode, and bytes.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as BinaryMode from "../BinaryMode.ts"
import { actorOf } from "../Actor.ts"
import { text } from "../FieldValue.ts"
import * as Tenant from "../flow/Tenant.ts"
import * as Json from "../Json.ts"
import * as Limits from "../Limits.ts"
import * as MediaData from "../MediaData.ts"
import * as OptionInvalid from "../options/OptionInvalid.ts"
import * as Kinds from "../options/OptionKinds.ts"
import * as Rfc3339 from "../Rfc3339.ts"
import { type ForeignCodec, type ForeignMessage, unreadable, type Unreadable } from "./ForeignCodec.ts"

type Fields = Readonly<Record<string, unknown>>

const jsonOf = ({ body, contentEncoding }: ForeignMessage): Result.Result<unknown, Unreadable> => {
  if (contentEncoding !== undefined && MediaData.isEncoded(contentEncoding))
    return unreadable("", "a body without a content encoding: send it uncompressed, or give a codec that unpacks it")
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const size = Limits.sizeFault(bytes, Limits.defaults)
  if (size !== undefined) return unreadable("", size)
  const written = bytes.toString("utf8")
  const fault = Limits.textFault(bytes, written, Limits.defaults)
  if (fault !== undefined) return unreadable("", fault)
  return Result.mapError(Json.parse(written, "the body"), (expected) => ({ path: "", expected }))
}

const objectOf = (message: ForeignMessage): Result.Result<Fields, Unreadable> =>
  Result.flatMap(jsonOf(message), (json) =>
    Predicate.isObject(json) ? Result.succeed(json) : unreadable("", "a JSON object")
  )

/** The message says what it is by its property `type`, as ours do, or else by its routing key, as those of most libraries. */
const typeOf = ({ routingKey, type }: ForeignMessage): string => (type === undefined || type === "" ? routingKey : type)

/** Where the ready-made codecs find what a message does not say in the usual place. */
export interface CodecOptions {
  /** What the message is; `json` is its body, where the codec reads that. Default: its property `type`, or else its routing key. */
  readonly type?: (message: ForeignMessage, json: unknown) => string | undefined
  /** What identifies it. Default: the message id. */
  readonly id?: (message: ForeignMessage, json: unknown) => string | undefined
}

/** The body is the data, as JSON: golevelup, rascal, amqplib, pika and Spring's `Jackson2JsonMessageConverter`. */
export const json = (options: CodecOptions = {}): ForeignCodec => {
  OptionInvalid.check("Foreign.json", options, kinds)
  return {
    name: "json",
    read: (message) =>
      Result.map(jsonOf(message), (data) => ({
        type: (options.type === undefined ? typeOf(message) : options.type(message, data)) ?? "",
        data,
        id: options.id?.(message, data)
      })),
    write: ({ data }) => ({ body: JSON.stringify(data) ?? "null", contentType: "application/json" })
  }
}

const kinds: Kinds.Kinds = { type: Kinds.func, id: Kinds.func } satisfies Kinds.KindsOf<CodecOptions>

export interface NestOptions {
  /** What identifies an event: Nest gives it no id. `data` is that of the packet. Default: the id of a request, or else the message id. */
  readonly id?: (message: ForeignMessage, data: unknown) => string | undefined
}

/**
 * NestJS microservices over RabbitMQ: `{ pattern, data }`, and `id` for messages that expect an answer. A pattern that is an
 * object has the text that Nest itself compares: its fields sorted, as in `{"cmd":"sum"}`.
 */
export const nest = (options: NestOptions = {}): ForeignCodec => {
  OptionInvalid.check("Foreign.nest", options, nestKinds)
  return {
    name: "nest",
    read: (message) =>
      Result.flatMap(objectOf(message), ({ data, id, pattern }) => {
        if (pattern === undefined) return unreadable("pattern", "the pattern of NestJS")
        return Result.succeed({ type: patternText(pattern), data, id: options.id?.(message, data) ?? text(id) })
      }),
    write: ({ data, type }) => ({
      body: JSON.stringify({ pattern: patternOf(type), data }),
      contentType: "application/json"
    })
  }
}

const nestKinds: Kinds.Kinds = { id: Kinds.func } satisfies Kinds.KindsOf<NestOptions>

/** As `transformPatternToRoute` of @nestjs/microservices. */
const patternText = (pattern: unknown): string => {
  if (!Predicate.isObject(pattern)) return String(pattern)
  const fields = Object.keys(pattern)
    .toSorted((one, other) => `${one}`.localeCompare(other))
    .map((key) => {
      const value = pattern[key]
      return `"${key}":${typeof value === "string" ? `"${value}"` : patternText(value)}`
    })
  return `{${fields.join(",")}}`
}

/** An object again where the type is the text of one. */
const patternOf = (type: string): unknown => {
  if (!type.startsWith("{")) return type
  try {
    const pattern: unknown = JSON.parse(type)
    return Predicate.isObject(pattern) ? pattern : type
  } catch {
    return type
  }
}

const massTransitType = "urn:message:"

export interface MassTransitOptions {
  /** Where a message comes from, in the form of MassTransit. Default `rabbitmq://localhost/` with the source of the bus. */
  readonly sourceAddress?: string
}

/**
 * MassTransit's envelope, `application/vnd.masstransit+json`. The type is the first of `messageType` without
 * `urn:message:`, such as `Shop:OrderSubmitted`; the data is `message`.
 */
export const massTransit = (options: MassTransitOptions = {}): ForeignCodec => {
  OptionInvalid.check("Foreign.massTransit", options, massTransitKinds)
  return {
    name: "massTransit",
    read: (message) =>
      Result.flatMap(objectOf(message), (envelope) => {
        const types: unknown = envelope["messageType"]
        const urn: unknown = Array.isArray(types) ? types[0] : undefined
        if (typeof urn !== "string" || !urn.startsWith(massTransitType))
          return unreadable("messageType", 'a list that begins with a type of the form "urn:message:Namespace:Name"')
        const {
          conversationId,
          correlationId,
          initiatorId,
          message: data,
          messageId,
          sentTime,
          sourceAddress
        } = envelope
        return Result.succeed({
          type: urn.slice(massTransitType.length),
          data,
          id: text(messageId),
          source: text(sourceAddress),
          time: typeof sentTime === "string" ? Rfc3339.dateOf(sentTime, undefined) : undefined,
          correlationId: text(correlationId) ?? text(conversationId),
          causationId: text(initiatorId)
        })
      }),
    write: ({ correlationId, data, id, source, time, type }) => ({
      body: JSON.stringify({
        messageId: id,
        ...(correlationId !== undefined && { correlationId }),
        conversationId: correlationId ?? id,
        sourceAddress: options.sourceAddress ?? `rabbitmq://localhost/${encodeURIComponent(source)}`,
        messageType: [massTransitType + type],
        message: data,
        sentTime: time.toISOString(),
        headers: {}
      }),
      contentType: "application/vnd.masstransit+json"
    })
  }
}

const massTransitKinds: Kinds.Kinds = { sourceAddress: Kinds.text } satisfies Kinds.KindsOf<MassTransitOptions>

/**
 * CloudEvents 1.0 with a `type` of any form, which contracts of this library do not have. Binary and structured mode are
 * read, binary mode is written, as the AMQP binding has it
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md).
 */
export const cloudEvents = (): ForeignCodec => ({
  name: "cloudEvents",
  read: (message) => {
    const attributes = BinaryMode.attributesOf(message.headers)
    return attributes === undefined ? readStructured(message) : readBinary(message, attributes)
  },
  write: ({ actor, correlationId, data, id, key, source, tenant, time, type }) => {
    const isBytes = data instanceof Uint8Array
    return {
      body: isBytes ? data : (JSON.stringify(data) ?? "null"),
      contentType: isBytes ? "application/octet-stream" : "application/json",
      headers: {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": id,
        "cloudEvents:source": source,
        "cloudEvents:type": type,
        "cloudEvents:time": time.toISOString(),
        ...(key !== undefined && { "cloudEvents:subject": key }),
        ...(correlationId !== undefined && { "cloudEvents:correlationid": correlationId }),
        ...(actor !== undefined && { "cloudEvents:actor": actor.id, "cloudEvents:actorrole": actor.role }),
        ...(actor?.status !== undefined && { "cloudEvents:actorstatus": actor.status }),
        ...(tenant !== undefined && { "cloudEvents:tenant": tenant })
      }
    }
  }
})

const readAttributes = (attributes: Fields, data: unknown): ReturnType<ForeignCodec["read"]> => {
  if (attributes["specversion"] !== "1.0") return unreadable("specversion", 'expected "1.0"')
  const { actor, actorrole, actorstatus, causationid, correlationid, id, source, time, type } = attributes
  const tenant = Tenant.read(attributes["tenant"])
  if (tenant === null) return unreadable("tenant", "expected a text of at most 255 bytes")
  for (const [name, value] of Object.entries({ id, source, type }))
    if (typeof value !== "string" || value === "") return unreadable(name, "expected a text that is not empty")
  if (time !== undefined && time !== null && Number.isNaN(Rfc3339.dateOf(time, undefined).getTime()))
    return unreadable("time", "expected an RFC 3339 time")
  return Result.succeed({
    type: String(type),
    id: String(id),
    source: String(source),
    time: typeof time === "string" ? Rfc3339.dateOf(time, undefined) : undefined,
    correlationId: text(correlationid),
    causationId: text(causationid),
    actor: actorOf(text(actor), text(actorrole), text(actorstatus)),
    tenant,
    data
  })
}

const readBinary = (message: ForeignMessage, attributes: Fields): ReturnType<ForeignCodec["read"]> => {
  const { body, contentType } = message
  const declared = attributes["datacontenttype"]
  const media = contentType ?? (typeof declared === "string" ? declared : "application/json")
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const data = bytes.length === 0 ? Result.succeed(undefined) : MediaData.read(bytes, media, Limits.defaults)
  return Result.isFailure(data) ? unreadable("data", data.failure) : readAttributes(attributes, data.success)
}

const readStructured = (message: ForeignMessage): ReturnType<ForeignCodec["read"]> =>
  Result.flatMap(objectOf(message), (event) => {
    const { data, data_base64: encoded, datacontenttype: media } = event
    if (typeof encoded !== "string") return readAttributes(event, data)
    const bytes = MediaData.fromBase64(encoded)
    if (bytes === undefined) return unreadable("data_base64", "expected base64 text")
    const read = MediaData.read(bytes, text(media) ?? "application/octet-stream", Limits.defaults)
    return Result.isFailure(read) ? unreadable("data_base64", read.failure) : readAttributes(event, read.success)
  })

/** The body as it is, for contracts of `Uint8Array`. */
export const bytes = (options: CodecOptions = {}): ForeignCodec => {
  OptionInvalid.check("Foreign.bytes", options, kinds)
  return {
    name: "bytes",
    read: (message) =>
      Result.succeed({
        type: (options.type === undefined ? typeOf(message) : options.type(message, undefined)) ?? "",
        // Not a Buffer, whose memory may belong to a whole read of the connection.
        data: new Uint8Array(message.body),
        id: options.id?.(message, undefined)
      }),
    write: ({ data }) => ({
      body: data instanceof Uint8Array ? data : (JSON.stringify(data) ?? "null"),
      contentType: "application/octet-stream"
    })
  }
}
