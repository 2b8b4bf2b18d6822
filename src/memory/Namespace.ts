/**
 * What one namespace has on the embedded broker: subscriber queues and their bindings, dead-letter
 * queues, the queue of what was undeliverable. It says where a message belongs and puts it there;
 * namespaces of one server see nothing of each other. Delays and connections are the server's.
 */
import type { Address, DeadLetterSource, Headers, Outgoing, QueueKind, SubscriberSpec } from "../bus/Broker.ts"
import { TopologyMismatch } from "../bus/BrokerError.ts"
import { topicMatches } from "../event/Name.ts"
import * as MemoryQueue from "./MemoryQueue.ts"

/** The limits of the queues that RabbitMQ has: an event's lives, and looks at a dead letter. */
const deliveryLimit = 20
const readLimit = 1_000_000_000
/** Names whose routes are remembered; they come from publishers. */
const rememberedRoutes = 10_000

interface Bound {
  readonly queue: MemoryQueue.MemoryQueue
  readonly patterns: Map<string, ReadonlyArray<string>>
}

export interface Temporary {
  readonly queue: MemoryQueue.MemoryQueue
  readonly drop: () => void
}

export interface Namespace {
  readonly name: string
  /** Why a subscriber cannot be declared so, or undefined when it is. */
  readonly declare: (spec: SubscriberSpec) => TopologyMismatch | undefined
  readonly queueOf: (subscriber: string, kind?: QueueKind) => MemoryQueue.MemoryQueue | undefined
  /** Undefined for a subscriber that never was. */
  readonly deadLettersOf: (source: DeadLetterSource) => MemoryQueue.MemoryQueue | undefined
  /** A queue of one consumer's own. */
  readonly temporary: (patterns: ReadonlyArray<string>) => Temporary
  /** Puts a message into every queue where it belongs; whether there was one. */
  readonly place: (message: Outgoing) => boolean
  /** The same at the end of a delay: what nobody takes is kept where it can be found. */
  readonly arrive: (message: Outgoing) => void
  readonly deleteQueue: (subscriber: string) => void
  /** The queues that are consumed: dead letters are only read. */
  readonly queues: () => Iterable<MemoryQueue.MemoryQueue>
}

export const make = (
  name: string,
  options: { readonly wake: (queue: MemoryQueue.MemoryQueue) => void; readonly returns: MemoryQueue.Returns }
): Namespace => {
  const bound = new Map<string, Bound>()
  const temporary = new Set<Bound>()
  const dead = new Map<string, MemoryQueue.MemoryQueue>()
  const parked = new Map<string, MemoryQueue.MemoryQueue>()
  const routes = new Map<string, ReadonlyArray<MemoryQueue.MemoryQueue>>()

  /** A queue that is read, or one consumer's own: nothing leaves it by itself. */
  const plainQueue = (queue: string) =>
    MemoryQueue.make({ ...options, name: queue, singleActive: false, deliveryLimit: readLimit, beyondLimit: () => {} })
  const undeliverable = plainQueue(`${name}.undeliverable`)

  const routeOf = (event: string): ReadonlyArray<MemoryQueue.MemoryQueue> => {
    const known = routes.get(event)
    if (known !== undefined) return known
    const words = event.split(".")
    const found: Array<MemoryQueue.MemoryQueue> = []
    for (const { patterns, queue } of [...bound.values(), ...temporary]) {
      if (isMatch(patterns, words)) found.push(queue)
    }
    if (routes.size >= rememberedRoutes) routes.clear()
    routes.set(event, found)
    return found
  }
  const put = (queue: MemoryQueue.MemoryQueue | undefined, message: Outgoing): boolean => {
    queue?.push(message)
    return queue !== undefined
  }
  const place = (message: Outgoing): boolean => {
    const { to } = message
    switch (to._tag) {
      case "Event":
      case "DelayedEvent": {
        const queues = routeOf(to.name)
        for (const queue of queues) put(queue, message)
        return queues.length > 0
      }
      case "Subscriber":
        return put(bound.get(to.name)?.queue, message)
      case "DeadLetter":
        return put(dead.get(to.subscriber), message)
      case "Parked":
        return put(parked.get(to.subscriber), message)
    }
  }

  const subscriberQueue = (subscriber: string, singleActive: boolean, letters: MemoryQueue.MemoryQueue) => {
    const queue = `${name}.sub.${subscriber}`
    return MemoryQueue.make({
      ...options,
      name: queue,
      singleActive,
      deliveryLimit,
      beyondLimit: ({ message }) =>
        letters.push(
          { ...message, to: { _tag: "DeadLetter", subscriber }, headers: withoutDeaths(message.headers) },
          deathOf(queue, name, message.to)
        )
    })
  }

  return {
    name,
    declare: ({ name: subscriber, ordering, parking, patterns }) => {
      const singleActive = ordering === "key"
      if (parking === true && !parked.has(subscriber)) {
        parked.set(subscriber, plainQueue(`${name}.parked.${subscriber}`))
      }
      let entry = bound.get(subscriber)
      if (entry === undefined) {
        const letters = dead.get(subscriber) ?? plainQueue(`${name}.dead.${subscriber}`)
        dead.set(subscriber, letters)
        entry = { queue: subscriberQueue(subscriber, singleActive, letters), patterns: new Map() }
        bound.set(subscriber, entry)
      } else if (entry.queue.singleActive !== singleActive) {
        return mismatch(entry.queue.name, singleActive)
      }
      for (const pattern of patterns) entry.patterns.set(pattern, pattern.split("."))
      routes.clear()
      return undefined
    },
    queueOf: (subscriber, kind) => (kind === "parked" ? parked.get(subscriber) : bound.get(subscriber)?.queue),
    deadLettersOf: (source) => (source._tag === "Undeliverable" ? undeliverable : dead.get(source.name)),
    temporary: (patterns) => {
      const entry = {
        queue: plainQueue(`${name}.tmp`),
        patterns: new Map(patterns.map((pattern) => [pattern, pattern.split(".")]))
      }
      temporary.add(entry)
      routes.clear()
      return {
        queue: entry.queue,
        drop: () => {
          if (!temporary.delete(entry)) return
          routes.clear()
          entry.queue.drop()
        }
      }
    },
    place,
    arrive: (message) => {
      if (!place(message)) put(undeliverable, message)
    },
    deleteQueue: (subscriber) => {
      const entry = bound.get(subscriber)
      bound.delete(subscriber)
      routes.clear()
      entry?.queue.drop()
    },
    queues: function* () {
      for (const { queue } of bound.values()) yield queue
      yield* parked.values()
      for (const { queue } of temporary) yield queue
    }
  }
}

/** In the words of RabbitMQ's answer: a queue without the argument has "none" of it. */
const mismatch = (queue: string, singleActive: boolean): TopologyMismatch =>
  new TopologyMismatch({
    entity: `queue ${queue}`,
    argument: "x-single-active-consumer",
    expected: singleActive ? "true" : "none",
    actual: singleActive ? "none" : "true",
    remedy: "`ordering` is part of a queue's identity: use a new subscriber name, or delete the queue when it is empty"
  })

const isMatch = (patterns: Map<string, ReadonlyArray<string>>, words: ReadonlyArray<string>): boolean => {
  for (const pattern of patterns.values()) if (topicMatches(pattern, words)) return true
  return false
}

/** What a publisher wrote there is not the broker's and would be taken for it. */
const withoutDeaths = (headers: Headers): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "x-death" && name !== "x-delivery-count"))

const deathOf = (queue: string, namespace: string, to: Address): Readonly<Record<string, unknown>> => {
  const [exchange, key] =
    to._tag === "Event"
      ? [`${namespace}.events`, to.name]
      : [`${namespace}.delay.deliver`, to._tag === "Subscriber" ? `to.${to.name}` : `publish.${nameIn(to)}`]
  const reason = "delivery_limit"
  return {
    "x-death": [{ count: 1, reason, queue, exchange, "routing-keys": [key] }],
    "x-first-death-exchange": exchange,
    "x-first-death-queue": queue,
    "x-first-death-reason": reason,
    "x-last-death-exchange": exchange,
    "x-last-death-queue": queue,
    "x-last-death-reason": reason
  }
}

/** The name that an address is routed by: of an event, or of the subscriber whose dead letter it is. */
export const nameIn = (to: Address): string =>
  to._tag === "DeadLetter" || to._tag === "Parked" ? to.subscriber : to.name
