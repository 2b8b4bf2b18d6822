/**
 * A message that a publish sends. These are classes and not literals: V8 watches what becomes of literals, and
 * while a process is young and much is in flight it decides to allocate those of one place in the old
 * generation from then on. They die there unnoticed and keep alive what they refer to, which cost as much as all
 * the rest of a publish.
 */
import type { Body } from "../../event/Body.ts"
import type { Address, Headers, Outgoing, Properties } from "./Broker.ts"

export class OutgoingMessage implements Outgoing {
  readonly to: Address
  readonly key: string | undefined
  readonly body: Body
  /** Size of the body. */
  readonly bytes: number
  readonly properties: Properties
  readonly headers: Headers

  constructor(
    to: Address,
    key: string | undefined,
    body: Body,
    bytes: number,
    properties: Properties,
    headers: Headers
  ) {
    this.to = to
    this.key = key
    this.body = body
    this.bytes = bytes
    this.properties = properties
    this.headers = headers
  }
}

export class MessageProperties implements Properties {
  readonly messageId: string
  readonly type: string
  readonly timestamp: number
  readonly appId: string
  readonly correlationId: string | undefined
  readonly contentType: string

  constructor(
    messageId: string,
    type: string,
    timestamp: number,
    appId: string,
    correlationId: string | undefined,
    contentType: string
  ) {
    this.messageId = messageId
    this.type = type
    this.timestamp = timestamp
    this.appId = appId
    this.correlationId = correlationId
    this.contentType = contentType
  }
}
