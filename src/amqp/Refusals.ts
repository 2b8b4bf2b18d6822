/**
 * What the broker refused lately. It answers a publish that is too large, not permitted or goes nowhere
 * by closing the channel, and whatever is under way there is lost with it. So the next of its kind is
 * refused here, before the wire, and harms no neighbour.
 *
 * Forgotten after a while and with the connection, since an operator may have mended it.
 */
import { type Body, sizeOf } from "../event/Body.ts"
import type { SendOutcome } from "../bus/Broker.ts"
import { BrokerError, type BrokerReason, BrokerRefused, PermissionDenied, TopologyMissing } from "../bus/BrokerError.ts"

/** Read off the error of a channel, which itself is not kept. */
export type Refusal =
  | { readonly _tag: "Missing"; readonly exchange: string }
  /** Without a topic it is the whole exchange. */
  | { readonly _tag: "Denied"; readonly exchange: string; readonly topic: string | undefined }
  | { readonly _tag: "TooLarge"; readonly most: number }

export interface Refusals {
  readonly learn: (refusal: Refusal, username: string) => void
  /** Why this publish is not sent, if it is not. */
  readonly of: (exchange: string, routingKey: string, body: Body) => SendOutcome | undefined
  /** The same for its size alone: also what was under way when that was learnt was not stored. */
  readonly ofSize: (body: Body) => SendOutcome | undefined
  readonly forget: () => void
}

const deniedMillis = 30_000
/** Shorter: a missing exchange is most often on its way. */
const missingMillis = 2000

/** What a channel died of, if it says something about the next publish. */
export const read = (error: unknown): Refusal | undefined => {
  if (!(error instanceof Error)) return undefined
  const size = /message size \d+ (?:is )?larger than (?:configured )?max size (\d+)/.exec(error.message)?.[1]
  if (size !== undefined) return { _tag: "TooLarge", most: Number(size) }
  const denied = /access to (?:topic '(.*)' in )?exchange '([^']*)' in vhost/s.exec(error.message)
  if (denied !== null) return { _tag: "Denied", exchange: denied[2] ?? "", topic: denied[1] }
  // Nothing but an exchange can be missing to a publish, whatever the words of this version are.
  if (!("code" in error) || error.code !== 404) return undefined
  return { _tag: "Missing", exchange: /no exchange '([^']*)' in vhost/.exec(error.message)?.[1] ?? "" }
}

const notSent = (reason: BrokerReason): SendOutcome => ({ _tag: "NotSent", error: new BrokerError({ reason }) })

/** No name holds a zero byte. */
const topicOf = (exchange: string, topic: string): string => `${exchange}\0${topic}`

export const make = (now: () => number): Refusals => {
  const places = new Map<string, { readonly until: number; readonly outcome: SendOutcome }>()
  let most = Number.POSITIVE_INFINITY

  const placed = (place: string): SendOutcome | undefined => {
    const refusal = places.get(place)
    if (refusal === undefined || refusal.until > now()) return refusal?.outcome
    places.delete(place)
    return undefined
  }
  const ofSize = (body: Body): SendOutcome | undefined => {
    // Measured only where there is a limit.
    if (most === Number.POSITIVE_INFINITY) return undefined
    const bytes = sizeOf(body)
    if (bytes <= most) return undefined
    const detail = `the body has ${bytes} bytes, the broker takes ${most}: publish less, or raise its max_message_size`
    return notSent(new BrokerRefused({ operation: "publish", detail }))
  }
  return {
    learn: (refusal, username) => {
      if (refusal._tag === "TooLarge") {
        most = refusal.most
        return
      }
      const { exchange } = refusal
      const entity = `exchange ${exchange}`
      if (refusal._tag === "Missing") {
        const reason = new TopologyMissing({ entity, remedy: 'declare it (topology "assert"), or fix the namespace' })
        places.set(exchange, { until: now() + missingMillis, outcome: notSent(reason) })
        return
      }
      const { topic } = refusal
      const reason = new PermissionDenied({
        entity: topic === undefined ? `${entity} (write)` : `topic ${topic} in ${entity} (write)`,
        username
      })
      places.set(topic === undefined ? exchange : topicOf(exchange, topic), {
        until: now() + deniedMillis,
        outcome: notSent(reason)
      })
    },
    ofSize,
    of: (exchange, routingKey, body) =>
      ofSize(body) ?? (places.size === 0 ? undefined : (placed(exchange) ?? placed(topicOf(exchange, routingKey)))),
    forget: () => {
      places.clear()
      most = Number.POSITIVE_INFINITY
    }
  }
}
