/**
 * What the bus declares on RabbitMQ. Names and arguments are part of the public contract and frozen:
 * changing one is a 406 for every service that runs an older version. Nothing is ever deleted or
 * unbound. What catches dead letters is declared before what sends them there.
 */
import type { Channel } from "amqplib"
import type { SubscriberSpec } from "../bus/Broker.ts"
import * as Ladder from "./DelayLadder.ts"

export const events = (namespace: string): string => `${namespace}.events`
export const deadExchange = (namespace: string): string => `${namespace}.dead`
export const deadQueue = (namespace: string, subscriber: string): string => `${namespace}.dead.${subscriber}`
export const parkedExchange = (namespace: string): string => `${namespace}.parked`
export const parkedQueue = (namespace: string, subscriber: string): string => `${namespace}.parked.${subscriber}`
export const subscriberQueue = (namespace: string, subscriber: string): string => `${namespace}.sub.${subscriber}`
export const undeliverable = (namespace: string): string => `${namespace}.undeliverable`

/** Canaries of the ladder are called so; no subscriber can be. */
export const canaryPrefix = "_canary"

/** An event may come back this often before the broker dead-letters it by itself. */
const deliveryLimit = 20
/** Unset means 20 on RabbitMQ 4, and then the 21st look at a dead letter would delete it. */
const readLimit = 1_000_000_000

/** One thing to declare: what it is called in messages, how it is declared, how it is looked for. */
export interface Declaration {
  readonly entity: string
  readonly assert: (channel: Channel) => Promise<unknown>
  /** Absent for bindings, which cannot be looked for. */
  readonly verify?: (channel: Channel) => Promise<unknown>
}

const exchange = (
  name: string,
  type: "topic" | "direct" | "fanout",
  args: Record<string, unknown> = {}
): Declaration => ({
  entity: `exchange ${name}`,
  assert: (channel) => channel.assertExchange(name, type, { durable: true, arguments: args }),
  verify: (channel) => channel.checkExchange(name)
})
const quorum = (name: string, args: Record<string, unknown>): Declaration => ({
  entity: `queue ${name}`,
  assert: (channel) => channel.assertQueue(name, { durable: true, arguments: { "x-queue-type": "quorum", ...args } }),
  verify: (channel) => channel.checkQueue(name)
})
const bind = (queue: string, source: string, pattern: string): Declaration => ({
  entity: `binding of ${queue} to ${source}`,
  assert: (channel) => channel.bindQueue(queue, source, pattern)
})
const bindExchange = (destination: string, source: string, pattern: string): Declaration => ({
  entity: `binding of ${destination} to ${source}`,
  assert: (channel) => channel.bindExchange(destination, source, pattern)
})

/** Dead-lettering that waits for the target's confirm. */
const deadLetterTo = (target: string): Record<string, unknown> => ({
  "x-dead-letter-exchange": target,
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish"
})

/** What all services of a namespace share. */
export const shared = (namespace: string): ReadonlyArray<Declaration> => {
  const deliver = Ladder.deliverExchange(namespace)
  const lost = undeliverable(namespace)
  const all = [
    exchange(events(namespace), "topic"),
    exchange(deadExchange(namespace), "direct"),
    exchange(lost, "fanout"),
    quorum(lost, { "x-delivery-limit": readLimit }),
    bind(lost, lost, ""),
    exchange(deliver, "topic", { "alternate-exchange": lost })
  ]
  for (let level = 0; level < Ladder.levels; level++) {
    const name = Ladder.levelName(namespace, level)
    const next = Ladder.below(namespace, level)
    all.push(
      exchange(name, "topic"),
      quorum(name, { "x-message-ttl": 2 ** level * 1000, ...deadLetterTo(next) }),
      bind(name, name, Ladder.bitPattern(level, "1")),
      bindExchange(next, name, Ladder.bitPattern(level, "0"))
    )
  }
  return all
}

/** What one subscriber has. */
export const subscriber = (namespace: string, spec: SubscriberSpec): ReadonlyArray<Declaration> => {
  const queue = subscriberQueue(namespace, spec.name)
  const dead = deadQueue(namespace, spec.name)
  const deliver = Ladder.deliverExchange(namespace)
  const parked = parkedQueue(namespace, spec.name)
  return [
    // No alternate exchange: what reaches no queue is returned, and its original stays unacknowledged.
    ...(spec.parking === true
      ? [
          exchange(parkedExchange(namespace), "direct"),
          // Read whole by whoever is active: each time is a return.
          quorum(parked, { "x-delivery-limit": readLimit }),
          bind(parked, parkedExchange(namespace), spec.name)
        ]
      : []),
    quorum(dead, { "x-delivery-limit": readLimit }),
    bind(dead, deadExchange(namespace), spec.name),
    quorum(queue, {
      "x-delivery-limit": deliveryLimit,
      ...deadLetterTo(deadExchange(namespace)),
      "x-dead-letter-routing-key": spec.name,
      ...(spec.ordering === "key" && { "x-single-active-consumer": true })
    }),
    bind(queue, deliver, Ladder.anyDelay + Ladder.toSubscriber(spec.name)),
    ...spec.patterns.flatMap((pattern) => [
      bind(queue, deliver, Ladder.anyDelay + Ladder.toEvent(pattern)),
      bind(queue, events(namespace), pattern)
    ])
  ]
}

/**
 * Where canaries end whose process is gone: unbound they would be kept as undeliverable events, and a
 * dead-lettering that reaches no queue would hold up the ladder itself.
 */
export const canaries = (namespace: string): ReadonlyArray<Declaration> => {
  const queue = `${namespace}.canary`
  const pattern = `${Ladder.anyDelay}${Ladder.toSubscriber(canaryPrefix)}.#`
  return [quorum(queue, { "x-message-ttl": 1000 }), bind(queue, Ladder.deliverExchange(namespace), pattern)]
}
