/**
 * One namespace of the embedded broker: subscriber queues and their bindings, dead-letter queues, and the queue of
 * undeliverable messages. It puts a message where it belongs; the namespaces of one server see nothing of each other.
 * Delays and connections are the server's.
 */
import type { Address, DeadLetterSource, Headers, Outgoing, QueueKind, SubscriberSpec } from "../bus/port/Broker.ts"
import { TopologyMismatch } from "../bus/port/BrokerReason.ts"
import { topicMatches } from "../event/Name.ts"
import type { ForeignObjects } from "./foreign/ForeignObjects.ts"
import { MemoryQueue, type Returns } from "./MemoryQueue.ts"

/** The limits of RabbitMQ's queues: how often an event may come back, and a dead letter be looked at. */
const deliveryLimit = 20
const readLimit = 1_000_000_000
/** Event names whose routes are remembered; names come from publishers. */
const maxRoutes = 10_000

interface Binding {
  readonly queue: MemoryQueue
  readonly patterns: Map<string, ReadonlyArray<string>>
}

interface TemporaryBinding extends Binding {
  readonly letters: ReadonlyArray<DeadLetterSource>
}

export interface TemporaryQueue {
  readonly queue: MemoryQueue
  readonly drop: () => void
}

export interface NamespaceOptions {
  readonly wake: (queue: MemoryQueue) => void
  readonly returns: Returns
  /** What belongs to other systems. */
  readonly foreign: ForeignObjects
}

export class Namespace {
  readonly name: string
  private readonly options: NamespaceOptions
  private readonly bound = new Map<string, Binding>()
  private readonly temporaryQueues = new Set<TemporaryBinding>()
  private readonly dead = new Map<string, MemoryQueue>()
  private readonly parked = new Map<string, MemoryQueue>()
  private readonly undeliverable: MemoryQueue
  private readonly routes = new Map<string, ReadonlyArray<MemoryQueue>>()

  constructor(name: string, options: NamespaceOptions) {
    this.name = name
    this.options = options
    this.undeliverable = this.plainQueue(`${name}.undeliverable`)
  }

  /** Returns why a subscriber cannot be declared like this, or undefined when it is. */
  declare({ foreign, name: subscriber, ordering, parking, patterns }: SubscriberSpec): TopologyMismatch | undefined {
    const singleActive = ordering === "key"
    if (parking === true && !this.parked.has(subscriber)) {
      this.parked.set(subscriber, this.plainQueue(`${this.name}.parked.${subscriber}`))
    }
    const binding = this.bound.get(subscriber) ?? this.bind(subscriber, singleActive)
    if (binding.queue.singleActive !== singleActive) return mismatch(binding.queue.name, singleActive)
    for (const pattern of patterns) binding.patterns.set(pattern, pattern.split("."))
    this.routes.clear()
    for (const queue of foreign?.queues ?? []) this.options.foreign.queue(queue)
    for (const one of foreign?.bindings ?? []) this.options.foreign.bind(binding.queue, one)
    return undefined
  }

  queueOf(subscriber: string, kind?: QueueKind): MemoryQueue | undefined {
    return kind === "parked" ? this.parked.get(subscriber) : this.bound.get(subscriber)?.queue
  }

  /** Undefined for a subscriber that was never declared. */
  deadLettersOf(source: DeadLetterSource): MemoryQueue | undefined {
    return source._tag === "Undeliverable" ? this.undeliverable : this.dead.get(source.name)
  }

  /** A queue of one consumer's own. */
  temporary(patterns: ReadonlyArray<string>, letters: ReadonlyArray<DeadLetterSource> = []): TemporaryQueue {
    const binding: TemporaryBinding = {
      letters,
      queue: this.plainQueue(`${this.name}.tmp`),
      patterns: new Map(patterns.map((pattern) => [pattern, pattern.split(".")]))
    }
    this.temporaryQueues.add(binding)
    this.routes.clear()
    return {
      queue: binding.queue,
      drop: () => {
        if (!this.temporaryQueues.delete(binding)) return
        this.routes.clear()
        binding.queue.drop()
      }
    }
  }

  /** Puts a message into every queue where it belongs; returns whether there was one. */
  place(message: Outgoing): boolean {
    const { to } = message
    switch (to._tag) {
      case "Event":
      case "DelayedEvent": {
        const queues = this.routeOf(to.name)
        for (const queue of queues) queue.push(message)
        return queues.length > 0
      }
      case "Subscriber":
        return put(this.bound.get(to.name)?.queue, message)
      case "DeadLetter":
        this.showLetter({ _tag: "Subscriber", name: to.subscriber }, message)
        return put(this.dead.get(to.subscriber), message)
      case "Parked":
        return put(this.parked.get(to.subscriber), message)
      case "Foreign":
        return this.options.foreign.place(message, to)
    }
  }

  /** The same at the end of a delay: without a queue the message is kept where it can be found. */
  arrive(message: Outgoing): void {
    if (this.place(message)) return
    this.showLetter({ _tag: "Undeliverable" }, message)
    this.undeliverable.push(message)
  }

  /** A copy for each who looks at what comes there. */
  private showLetter(source: DeadLetterSource, message: Outgoing, death?: Readonly<Record<string, unknown>>): void {
    for (const { letters, queue } of this.temporaryQueues)
      if (letters.some((one) => isSameSource(one, source))) queue.push(message, death)
  }

  deleteQueue(subscriber: string): void {
    const binding = this.bound.get(subscriber)
    this.bound.delete(subscriber)
    this.routes.clear()
    if (binding !== undefined) this.options.foreign.unbind(binding.queue)
    binding?.queue.drop()
  }

  /** The queues that are consumed: dead letters are only read. */
  *queues(): Iterable<MemoryQueue> {
    for (const { queue } of this.bound.values()) yield queue
    yield* this.parked.values()
    for (const { queue } of this.temporaryQueues) yield queue
  }

  private bind(subscriber: string, singleActive: boolean): Binding {
    const letters = this.dead.get(subscriber) ?? this.plainQueue(`${this.name}.dead.${subscriber}`)
    this.dead.set(subscriber, letters)
    const binding = {
      queue: this.subscriberQueue(subscriber, singleActive, letters),
      patterns: new Map<string, ReadonlyArray<string>>()
    }
    this.bound.set(subscriber, binding)
    return binding
  }

  /** A queue that is read, or one consumer's own: no message leaves it by itself. */
  private plainQueue(name: string): MemoryQueue {
    return plainQueue(name, this.options)
  }

  private subscriberQueue(subscriber: string, singleActive: boolean, letters: MemoryQueue): MemoryQueue {
    const { returns, wake } = this.options
    const name = `${this.name}.sub.${subscriber}`
    return new MemoryQueue({
      name,
      singleActive,
      deliveryLimit,
      returns,
      wake,
      rejects: true,
      dead: ({ message }, reason) => {
        const letter: Outgoing = {
          ...message,
          to: { _tag: "DeadLetter", subscriber },
          headers: withoutDeaths(message.headers)
        }
        const death = deathOf(name, this.name, message.to, reason)
        this.showLetter({ _tag: "Subscriber", name: subscriber }, letter, death)
        letters.push(letter, death)
      }
    })
  }

  private routeOf(event: string): ReadonlyArray<MemoryQueue> {
    const known = this.routes.get(event)
    if (known !== undefined) return known
    const words = event.split(".")
    const found: Array<MemoryQueue> = []
    for (const { patterns, queue } of [...this.bound.values(), ...this.temporaryQueues]) {
      if (isMatch(patterns, words)) found.push(queue)
    }
    if (this.routes.size >= maxRoutes) this.routes.clear()
    this.routes.set(event, found)
    return found
  }
}

/** A queue that no message leaves by itself. */
export const plainQueue = (name: string, { returns, wake }: Pick<NamespaceOptions, "returns" | "wake">): MemoryQueue =>
  new MemoryQueue({
    name,
    singleActive: false,
    deliveryLimit: readLimit,
    returns,
    wake,
    rejects: false,
    dead: () => {}
  })

const isSameSource = (one: DeadLetterSource, other: DeadLetterSource): boolean =>
  one._tag === "Undeliverable" ? other._tag === "Undeliverable" : other._tag === "Subscriber" && one.name === other.name

const put = (queue: MemoryQueue | undefined, message: Outgoing): boolean => {
  queue?.push(message)
  return queue !== undefined
}

/** In the words of RabbitMQ's answer, where a missing argument is "none". */
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

/** Without the headers that only the broker sets: those of a publisher would be taken for its. */
const withoutDeaths = (headers: Headers): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "x-death" && name !== "x-delivery-count"))

const deathOf = (queue: string, namespace: string, to: Address, reason: string): Readonly<Record<string, unknown>> => {
  const [exchange, key] =
    to._tag === "Foreign"
      ? [to.exchange, to.routingKey]
      : to._tag === "Event"
        ? [`${namespace}.events`, to.name]
        : [`${namespace}.delay.deliver`, to._tag === "Subscriber" ? `to.${to.name}` : `publish.${nameIn(to)}`]
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

/** The name that an address is routed by: that of an event, or of a subscriber. */
export const nameIn = (to: Exclude<Address, { readonly _tag: "Foreign" }>): string =>
  to._tag === "DeadLetter" || to._tag === "Parked" ? to.subscriber : to.name
