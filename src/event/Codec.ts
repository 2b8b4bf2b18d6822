/**
 * The wire form of an event: structured-mode CloudEvents 1.0 in JSON
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). What is
 * written here is read by other services for years: names and forms are part of the public contract.
 *
 * Two directions: `encoder` makes the function that writes one contract's events; `parse` reads the
 * outer part of any body, and the contract then decodes its data.
 */
import { Result } from "effect"
import type { Actor } from "./Actor.ts"
import { type Body, textOf } from "./Body.ts"
import * as CloudEvent from "./CloudEvent.ts"
import type * as Envelope from "./Envelope.ts"
import type * as Event from "./Event.ts"
import { InvalidEvent, UnknownEvent, type UnknownVersion } from "./EventError.ts"
import * as Limits from "./Limits.ts"
import { nameFault } from "./Name.ts"

export const contentType = "application/cloudevents+json"

/** The parts of an envelope that differ from event to event. */
export interface Head {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly key: string | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  readonly actor: Actor | undefined
}

/**
 * Writes events of one contract from one source. The constant part is made once, so an event costs
 * one `JSON.stringify` of its data and a concatenation. Ids are escaped too: a caller may choose them.
 */
export const encoder = (event: Event.Any, source: string): ((head: Head, json: unknown) => string) => {
  const before = CloudEvent.opening(source, event.name, event.version)
  return (head, json) => {
    let text = `${before}${JSON.stringify(head.id)},"time":"${isoTime(head.time)}"`
    if (head.key !== undefined) text += `,"subject":${JSON.stringify(head.key)}`
    if (head.correlationId !== undefined) text += `,"correlationid":${JSON.stringify(head.correlationId)}`
    if (head.causationId !== undefined) text += `,"causationid":${JSON.stringify(head.causationId)}`
    if (head.actor !== undefined) text += actorText(head.actor)
    return `${text},"data":${JSON.stringify(json) ?? "null"}}`
  }
}

// CloudEvents attributes are simple values, so an actor is three of them.
const actorText = (actor: Actor): string =>
  `,"actor":${JSON.stringify(actor.id)},"actorrole":${JSON.stringify(actor.role)}` +
  (actor.status === undefined ? "" : `,"actorstatus":${JSON.stringify(actor.status)}`)

let lastMillis = Number.NaN
let lastText = ""
// Many events share a millisecond, and formatting a time costs as much as writing the rest.
const isoTime = (millis: number): string => {
  if (millis !== lastMillis) {
    lastText = new Date(millis).toISOString()
    lastMillis = millis
  }
  return lastText
}

/** What the AMQP properties say about a body, for publishers that send plain JSON. */
export interface Hints {
  /** The event name of a plain JSON body. */
  readonly type?: string | undefined
  readonly messageId?: string | undefined
  readonly appId?: string | undefined
  /** Milliseconds since the epoch. */
  readonly timestamp?: number | undefined
}

const noHints: Hints = {}

/** Reads a body as far as the runtime needs it, limits first. */
export const parse = (
  body: Body,
  limits: Limits.Limits,
  hints: Hints = noHints
): Result.Result<CloudEvent.Parsed, InvalidEvent> => {
  const size = Limits.sizeFault(body, limits)
  if (size !== undefined) return Result.fail(InvalidEvent.of(hints.type ?? "?", "", size))
  const written = textOf(body)
  const fault = Limits.textFault(body, written, limits)
  if (fault !== undefined) return Result.fail(InvalidEvent.of(hints.type ?? "?", "", fault))
  const ours = CloudEvent.parseOurs(written, hints.type, hints.messageId)
  if (ours !== undefined && !Limits.hidesForbiddenKey(written, ours.json)) return Result.succeed(ours)
  let json: unknown
  try {
    json = JSON.parse(written)
  } catch {
    // V8's message quotes the body, so it is not passed on.
    return Result.fail(InvalidEvent.of(hints.type ?? "?", "", "the body is not JSON"))
  }
  if (Limits.hidesForbiddenKey(written, json))
    return Result.fail(InvalidEvent.of(hints.type ?? "?", "", 'the body has a key "__proto__"'))
  if (CloudEvent.isRecord(json) && Object.hasOwn(json, "specversion")) return CloudEvent.parse(json, written)
  return hints.type === undefined || nameFault(hints.type) !== undefined
    ? Result.fail(
        InvalidEvent.of(
          "?",
          "specversion",
          "expected a CloudEvents body, or plain JSON with the event's name in the AMQP property `type`"
        )
      )
    : Result.succeed({
        id: hints.messageId ?? "",
        source: hints.appId ?? "",
        type: hints.type,
        time: new Date(hints.timestamp ?? 0),
        key: undefined,
        version: undefined,
        correlationId: undefined,
        causationId: undefined,
        actor: undefined,
        json
      })
}

/** The envelope of a parsed body, decoded by its contract. */
export const decode = (
  parsed: CloudEvent.Parsed,
  contract: Event.Any | undefined
): Result.Result<Envelope.Envelope, InvalidEvent | UnknownVersion | UnknownEvent> => {
  if (contract === undefined) return Result.fail(new UnknownEvent({ event: parsed.type }))
  const version = parsed.version ?? contract.version
  const data = contract.contract.decode(version, parsed.json)
  if (Result.isFailure(data)) return Result.fail(data.failure)
  return Result.succeed({
    id: parsed.id,
    type: parsed.type,
    version,
    source: parsed.source,
    time: parsed.time,
    key: parsed.key,
    correlationId: parsed.correlationId,
    causationId: parsed.causationId,
    actor: parsed.actor,
    data: data.success
  })
}
