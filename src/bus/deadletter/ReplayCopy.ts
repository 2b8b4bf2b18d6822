/**
 * The copy of a dead letter that a replay sends. It is built anew: of the letter's headers it keeps only the ones
 * of the publisher.
 */
import * as BinaryMode from "../../event/BinaryMode.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type { Delivery, Headers, Outgoing } from "../port/Broker.ts"
import * as ForeignMark from "../send/ForeignMark.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import type { Renewed } from "./LetterExpiry.ts"
import * as DeadLetter from "./DeadLetter.ts"

/** Another body for the event of a letter, and what is different in it. It is a CloudEvent in structured mode. */
export interface Edited {
  readonly body: string
  readonly paths: ReadonlyArray<string>
}

/** What is different in the copy of a letter. */
export interface Changes {
  readonly edited: Edited | undefined
  readonly renewed: Renewed | undefined
}

export const copyOf = (
  letter: DeadLetter.DeadLetter,
  delivery: Delivery,
  source: DeadLetter.Source,
  replayId: string,
  now: number,
  { edited, renewed }: Changes
): Outgoing => {
  const { properties } = delivery
  const own = RuntimeHeaders.userHeaders(delivery)
  const headers: Headers = {
    ...(edited === undefined ? { ...own, ...ForeignMark.headersOfLetter(delivery) } : withoutAttributes(own)),
    ...renewed?.headers,
    ...RuntimeHeaders.contextHeaders(delivery)
  }
  // An undeliverable retry has a recipient: no other subscriber may get it.
  const recipient = source === DeadLetter.undeliverable ? delivery.recipient : source
  const isEvent = recipient === undefined
  return {
    // Its route, and not what it says of itself: the one who replays may publish more than its publisher.
    to: isEvent
      ? { _tag: "Event", name: delivery.routingKey || letter.eventType }
      : { _tag: "Subscriber", name: recipient, seconds: 0 },
    key: undefined,
    body: renewed?.body ?? edited?.body ?? delivery.body,
    properties: {
      messageId: letter.eventId,
      type: letter.eventType,
      timestamp: properties.timestamp ?? now,
      appId: properties.appId ?? "",
      correlationId: properties.correlationId,
      contentType:
        edited === undefined ? (properties.contentType ?? WireFormat.foreignContentType) : WireFormat.contentType,
      contentEncoding: edited === undefined ? properties.contentEncoding : undefined
    },
    headers: isEvent ? headers : { ...headers, ...historyHeaders(letter, replayId, now, edited) }
  }
}

/** The attributes of an event in binary mode: a body in structured mode has its own. */
const withoutAttributes = (headers: Headers): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !BinaryMode.isAttribute(name)))

/** Attempts start again; the failures and edits so far are kept. */
const historyHeaders = (
  { edits, failures, firstSpan, replays, signed }: DeadLetter.DeadLetter,
  replayId: string,
  now: number,
  edited: Edited | undefined
): Headers => {
  const before = signed === false ? [] : edits.map((edit) => ({ ...edit, at: edit.at.getTime() }))
  const all = edited === undefined ? before : RuntimeHeaders.addEdit(before, { at: now, paths: edited.paths })
  return RuntimeHeaders.write(
    signed === false
      ? { ...RuntimeHeaders.fresh, replays: 1, replayId, edits: all }
      : {
          ...RuntimeHeaders.fresh,
          failures: failures.map((failure) => ({ ...failure, at: failure.at.getTime() })),
          replays: replays + 1,
          replayId,
          firstSpan,
          edits: all
        }
  )
}
