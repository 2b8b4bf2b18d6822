/**
 * The exchanges, queues and bindings that the bus declares on RabbitMQ. Names and arguments are part of the public
 * contract and frozen: changing one means a 406 for every service that runs an older version. Nothing is ever deleted or
 * unbound. A queue for dead letters is declared before the queue that sends them there.
 */
import type { Channel } from "amqplib"
import type { SubscriberSpec } from "../../bus/port/Broker.ts"
import type { ForeignPlaces } from "../../bus/port/ForeignPlace.ts"
import * as Ladder from "./DelayLadder.ts"

export const events = (namespace: string): string => `${namespace}.events`
export const deadExchange = (namespace: string): string => `${namespace}.dead`
export const deadQueue = (namespace: string, subscriber: string): string => `${namespace}.dead.${subscriber}`
export const parkedExchange = (namespace: string): string => `${namespace}.parked`
export const parkedQueue = (namespace: string, subscriber: string): string => `${namespace}.parked.${subscriber}`
export const subscriberQueue = (namespace: string, subscriber: string): string => `${namespace}.sub.${subscriber}`
export const undeliverable = (namespace: string): string => `${namespace}.undeliverable`

/** The prefix of the names of canaries; no name of a subscriber can begin with it. */
export const canaryPrefix = "_canary"

/** How often an event may come back before the broker dead-letters it on its own. */
const deliveryLimit = 20
/** Without it RabbitMQ 4 takes 20, and the 21st listing would delete a dead letter. */
const readLimit = 1_000_000_000

/** An object of the broker with all that is declared of it; exchanges and queues are durable. */
export type Declared = Exchange | Queue | Binding

export interface Exchange {
  readonly _tag: "Exchange"
  readonly name: string
  readonly type: string
  readonly arguments: Arguments
}
export interface Queue {
  readonly _tag: "Queue"
  readonly name: string
  readonly arguments: Arguments
}
export interface Binding {
  readonly _tag: "Binding"
  readonly source: string
  readonly destination: string
  readonly kind: "queue" | "exchange"
  readonly pattern: string
}

/** One text for each object, whatever its arguments are. No name holds a space. */
export const keyOf = (object: Declared): string =>
  object._tag === "Binding"
    ? `${object.source} > ${object.kind} ${object.destination} > ${object.pattern}`
    : `${object._tag} ${object.name}`

export type Arguments = Readonly<Record<string, string | number | boolean>>

/** One object to declare: its name for messages, how to declare it, how to check that it exists. */
export interface Declaration {
  readonly entity: string
  readonly object: Declared
  readonly assert: (channel: Channel) => Promise<unknown>
  /** Absent for bindings, which cannot be checked. */
  readonly verify?: (channel: Channel) => Promise<unknown>
  /** Whether all services share it: a user that may not declare it can use it all the same. */
  readonly isShared?: boolean
}

const sharedByAll = (declaration: Declaration): Declaration => ({ ...declaration, isShared: true })

const exchange = (name: string, type: "topic" | "direct" | "fanout", args: Arguments = {}): Declaration => ({
  entity: `exchange ${name}`,
  object: { _tag: "Exchange", name, type, arguments: args },
  assert: (channel) => channel.assertExchange(name, type, { durable: true, arguments: args }),
  verify: (channel) => channel.checkExchange(name)
})
const quorum = (name: string, more: Arguments): Declaration => {
  const args = { "x-queue-type": "quorum", ...more }
  return {
    entity: `queue ${name}`,
    object: { _tag: "Queue", name, arguments: args },
    assert: (channel) => channel.assertQueue(name, { durable: true, arguments: args }),
    verify: (channel) => channel.checkQueue(name)
  }
}
const bind = (queue: string, source: string, pattern: string): Declaration => ({
  entity: `binding of ${queue} to ${source}`,
  object: { _tag: "Binding", source, destination: queue, kind: "queue", pattern },
  assert: (channel) => channel.bindQueue(queue, source, pattern)
})
const bindExchange = (destination: string, source: string, pattern: string): Declaration => ({
  entity: `binding of ${destination} to ${source}`,
  object: { _tag: "Binding", source, destination, kind: "exchange", pattern },
  assert: (channel) => channel.bindExchange(destination, source, pattern)
})

/** Dead-lettering that waits for the confirm of the target. */
const deadLetterTo = (target: string): Arguments => ({
  "x-dead-letter-exchange": target,
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish"
})

/** The objects that all services of a namespace share from the start: of the ladder's queues the one of its first level. */
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
    all.push(
      exchange(name, "topic"),
      ...(level === 0 ? waiting(namespace, level) : []),
      bindExchange(Ladder.below(namespace, level), name, Ladder.bitPattern(level, "0"))
    )
  }
  return all.map(sharedByAll)
}

/** The queue of a level of the ladder. Its exchange, and those below it, are shared objects. */
const waiting = (namespace: string, level: number): ReadonlyArray<Declaration> => {
  const name = Ladder.levelName(namespace, level)
  const next = Ladder.below(namespace, level)
  return [
    quorum(name, { "x-message-ttl": 2 ** level * 1000, ...deadLetterTo(next) }),
    bind(name, name, Ladder.bitPattern(level, "1"))
  ]
}

/** The queues of these levels of the ladder: a set of bits. What a level sends to is declared before it. */
export const levels = (namespace: string, set: number): ReadonlyArray<Declaration> =>
  Ladder.levelsOf(set).flatMap((level) => waiting(namespace, level).map(sharedByAll))

/** The queues of all levels that are declared when they are needed. */
export const upperLevels = (namespace: string): ReadonlyArray<Declaration> => levels(namespace, 2 ** Ladder.levels - 2)

/** The objects of one subscriber. */
export const subscriber = (namespace: string, spec: SubscriberSpec): ReadonlyArray<Declaration> => {
  const queue = subscriberQueue(namespace, spec.name)
  const dead = deadQueue(namespace, spec.name)
  const deliver = Ladder.deliverExchange(namespace)
  const parked = parkedQueue(namespace, spec.name)
  return [
    // No alternate exchange: a message that reaches no queue is returned, and its original stays unacknowledged.
    ...(spec.parking === true
      ? [
          sharedByAll(exchange(parkedExchange(namespace), "direct")),
          // The active consumer reads it whole, and each time counts as a return.
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

/** What a subscriber uses of other systems: looked for, and never declared. */
export const ofOthers = ({ bindings, queues }: ForeignPlaces): ReadonlyArray<Declaration> => [
  ...queues.map((name): Declaration => {
    const look: Declaration["assert"] = (channel) => channel.checkQueue(name)
    return { entity: `queue ${name}`, object: { _tag: "Queue", name, arguments: {} }, assert: look, verify: look }
  }),
  ...[...new Set(bindings.map(({ exchange }) => exchange))].map((name): Declaration => {
    const look: Declaration["assert"] = (channel) => channel.checkExchange(name)
    const object: Exchange = { _tag: "Exchange", name, type: "", arguments: {} }
    return { entity: `exchange ${name}`, object, assert: look, verify: look }
  })
]

/** The bindings of a subscriber's queue to exchanges of other systems. */
export const foreignBindings = (namespace: string, { foreign, name }: SubscriberSpec): ReadonlyArray<Declaration> => {
  const queue = subscriberQueue(namespace, name)
  return (foreign?.bindings ?? []).map(({ arguments: args, exchange: source, routingKey }) => ({
    ...bind(queue, source, routingKey),
    assert: (channel) => channel.bindQueue(queue, source, routingKey, args)
  }))
}

/**
 * The queue for canaries whose process is gone. Without it they would be kept as undeliverable events, and a
 * dead-lettering that reaches no queue would hold up the ladder itself.
 */
export const canaries = (namespace: string): ReadonlyArray<Declaration> => {
  const queue = `${namespace}.canary`
  const pattern = `${Ladder.anyDelay}${Ladder.toSubscriber(canaryPrefix)}.#`
  return [quorum(queue, { "x-message-ttl": 1000 }), bind(queue, Ladder.deliverExchange(namespace), pattern)].map(
    sharedByAll
  )
}
