/**
 * What a publish sends, as classes and not as literals: V8 watches what becomes of literals, and while a process
 * is young and much is in flight it decides to make those of a place in the old generation from then on. There
 * they die unseen and keep alive what they refer to, which cost as much as all the rest of a publish.
 */
import type { Address, Headers, Outgoing, Properties } from "./Broker.ts"
import type { Body } from "../event/Body.ts"

export class Message implements Outgoing {
  readonly to: Address
  readonly key: string | undefined
  readonly body: Body
  readonly properties: Properties
  readonly headers: Headers

  constructor(to: Address, key: string | undefined, body: Body, properties: Properties, headers: Headers) {
    this.to = to
    this.key = key
    this.body = body
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
