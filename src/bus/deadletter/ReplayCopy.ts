/**
 * The copy of a dead letter that a replay sends. It is built anew: of the letter's headers it keeps only the ones
 * of the publisher.
 */
import * as WireFormat from "../../event/WireFormat.ts"
import type { Delivery, Headers, Outgoing } from "../port/Broker.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import * as DeadLetter from "./DeadLetter.ts"

export const copyOf = (
  letter: DeadLetter.DeadLetter,
  delivery: Delivery,
  source: DeadLetter.Source,
  replayId: string,
  now: number
): Outgoing => {
  const { properties } = delivery
  const headers: Headers = { ...RuntimeHeaders.userHeaders(delivery), ...RuntimeHeaders.traceHeaders(delivery) }
  // An undeliverable retry has a recipient: no other subscriber may get it.
  const recipient = source === DeadLetter.undeliverable ? delivery.recipient : source
  const isEvent = recipient === undefined
  return {
    // Its route, and not what it says of itself: the one who replays may publish more than its publisher.
    to: isEvent
      ? { _tag: "Event", name: delivery.routingKey || letter.eventType }
      : { _tag: "Subscriber", name: recipient, seconds: 0 },
    key: undefined,
    body: delivery.body,
    properties: {
      messageId: letter.eventId,
      type: letter.eventType,
      timestamp: properties.timestamp ?? now,
      appId: properties.appId ?? "",
      correlationId: properties.correlationId,
      contentType: properties.contentType ?? WireFormat.foreignContentType,
      contentEncoding: properties.contentEncoding
    },
    headers: isEvent ? headers : { ...headers, ...historyHeaders(letter, replayId) }
  }
}

/** Attempts start again; the failures so far are kept. */
const historyHeaders = ({ failures, firstSpan, replays, signed }: DeadLetter.DeadLetter, replayId: string): Headers =>
  RuntimeHeaders.write(
    signed === false
      ? { ...RuntimeHeaders.fresh, replays: 1, replayId }
      : {
          ...RuntimeHeaders.fresh,
          failures: failures.map((failure) => ({ ...failure, at: failure.at.getTime() })),
          replays: replays + 1,
          replayId,
          firstSpan
        }
  )
