/**
 * What the broker refused lately. It answers a publish that is too large, not permitted or goes to a missing exchange
 * by closing the channel, and everything in flight there is lost with it. So the next such publish is refused here,
 * before the wire, and harms no neighbour.
 *
 * A refusal is forgotten after a while and with the connection, because an operator may have fixed its cause.
 */
import { type Body, sizeOf } from "../../event/Body.ts"
import type { SendOutcome } from "../../bus/port/Broker.ts"
import { notSent } from "../../bus/port/SendOutcome.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { type BrokerReason, BrokerRefused, TopologyMissing } from "../../bus/port/BrokerReason.ts"
import * as AmqpError from "../AmqpError.ts"

/** Read from the error of a channel, which itself is not kept. */
export type Refusal =
  | { readonly _tag: "Missing"; readonly exchange: string }
  | Denied
  | { readonly _tag: "TooLarge"; readonly maxBytes: number }

/** Without a topic it is the whole exchange. */
export interface Denied {
  readonly _tag: "Denied"
  /** Undefined if the text of the broker was cut; `topic` is then how the topic begins. */
  readonly exchange: string | undefined
  readonly topic: string | undefined
}

export interface Refusals {
  /** `token` is what the user's token says of itself, if there is one. */
  readonly learn: (refusal: Refusal, username: string, token?: string) => void
  /** Why this publish is not sent, or undefined. */
  readonly of: (exchange: string, routingKey: string, body: Body) => SendOutcome | undefined
  /** The same for its size alone: what was in flight when the limit became known was not stored either. */
  readonly ofSize: (body: Body) => SendOutcome | undefined
  readonly forget: () => void
  /** Forgets what was denied or missing, and keeps the limit of sizes. */
  readonly forgetPlaces: () => void
}

const deniedMillis = 30_000
/** Shorter: a missing exchange is usually being declared. */
const missingMillis = 2000

/** Why a channel was closed, if that says something about the next publish. */
export const read = (error: unknown): Refusal | undefined => {
  if (!(error instanceof Error)) return undefined
  const size = /message size \d+ (?:is )?larger than (?:configured )?max size (\d+)/.exec(error.message)?.[1]
  if (size !== undefined) return { _tag: "TooLarge", maxBytes: Number(size) }
  const denied = /access to (?:topic '(.*)' in )?exchange '([^']*)' in vhost/s.exec(error.message)
  if (denied !== null) return { _tag: "Denied", exchange: denied[2], topic: denied[1] }
  // The broker cuts a text of more than 255 bytes.
  const cut = /access to topic '([^']*).*\.\.\."?$/s.exec(error.message)?.[1]
  if (cut !== undefined) return { _tag: "Denied", exchange: undefined, topic: cut }
  // A publish can only miss an exchange, whatever the words of this broker version are.
  if (!("code" in error) || error.code !== 404) return undefined
  return { _tag: "Missing", exchange: /no exchange '([^']*)' in vhost/.exec(error.message)?.[1] ?? "" }
}

/** Whether a denial is one of a publish there. */
export const concerns = (denied: Denied, exchange: string, routingKey: string): boolean =>
  denied.exchange === undefined
    ? denied.topic !== undefined && routingKey.startsWith(denied.topic)
    : denied.exchange === exchange && (denied.topic === undefined || denied.topic === routingKey)

const refused = (reason: BrokerReason): SendOutcome => notSent(new BrokerError({ reason }))

/** No name holds a zero byte. */
const topicOf = (exchange: string, topic: string): string => `${exchange}\0${topic}`

export const make = (now: () => number): Refusals => {
  const places = new Map<string, { readonly until: number; readonly outcome: SendOutcome }>()
  let maxBytes = Number.POSITIVE_INFINITY

  const placed = (place: string): SendOutcome | undefined => {
    const refusal = places.get(place)
    if (refusal === undefined || refusal.until > now()) return refusal?.outcome
    places.delete(place)
    return undefined
  }
  const ofSize = (body: Body): SendOutcome | undefined => {
    // Measured only where there is a limit.
    if (maxBytes === Number.POSITIVE_INFINITY) return undefined
    const bytes = sizeOf(body)
    if (bytes <= maxBytes) return undefined
    const detail = `the body has ${bytes} bytes, the broker takes ${maxBytes}: publish less, or raise its max_message_size`
    return refused(new BrokerRefused({ operation: "publish", detail }))
  }
  return {
    learn: (refusal, username, token) => {
      if (refusal._tag === "TooLarge") {
        maxBytes = refusal.maxBytes
        return
      }
      const { exchange } = refusal
      // Nobody knows what was denied.
      if (exchange === undefined) return
      const entity = `exchange ${exchange}`
      if (refusal._tag === "Missing") {
        const reason = new TopologyMissing({ entity, remedy: 'declare it (topology "assert"), or fix the namespace' })
        places.set(exchange, { until: now() + missingMillis, outcome: refused(reason) })
        return
      }
      const { topic } = refusal
      const denied = topic === undefined ? `${entity} (write)` : `topic ${topic} in ${entity} (write)`
      const reason = AmqpError.denied(denied, username, token)
      places.set(topic === undefined ? exchange : topicOf(exchange, topic), {
        until: now() + deniedMillis,
        outcome: refused(reason)
      })
    },
    ofSize,
    of: (exchange, routingKey, body) =>
      ofSize(body) ?? (places.size === 0 ? undefined : (placed(exchange) ?? placed(topicOf(exchange, routingKey)))),
    forgetPlaces: () => places.clear(),
    forget: () => {
      places.clear()
      maxBytes = Number.POSITIVE_INFINITY
    }
  }
}
