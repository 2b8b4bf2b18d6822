/**
 * The port `Broker` over the embedded server: one client of it. By default it has a server of its own; `layerOf`
 * connects to one that others use too.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import {
  Broker,
  type BrokerProbe,
  type BrokerStatus,
  type ConsumeOptions,
  type EphemeralOptions,
  type ForeignConsumeOptions,
  type DeadLetterReader,
  type DeadLetterSource,
  type Depth,
  type InFlightMessage,
  type QueueKind,
  type SubscriberSpec
} from "../bus/port/Broker.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { type BrokerReason, BrokerRefused, Closed, QueueInUse, TopologyMissing } from "../bus/port/BrokerReason.ts"
import { notSent } from "../bus/port/SendOutcome.ts"
import * as MemoryConsumer from "./MemoryConsumer.ts"
import * as MemoryReader from "./MemoryReader.ts"
import type { MemoryQueue } from "./MemoryQueue.ts"
import { type Link, MemoryServer } from "./MemoryServer.ts"
import { Session } from "./Session.ts"

export interface MemoryBrokerOptions {
  /** Default `"eduflow"`. */
  readonly namespace?: string
  /** The name of this client on the server, by which it can be cut off alone. Default `"client"`. */
  readonly name?: string
}

/** A client of a server that others use too. */
export const layerOf = (server: MemoryServer["Service"], options: MemoryBrokerOptions = {}): Layer.Layer<Broker> =>
  Layer.effect(Broker, make(server, options))

/** With the `MemoryServer` of the context. */
export const layerClient = (options: MemoryBrokerOptions = {}): Layer.Layer<Broker, never, MemoryServer> =>
  Layer.effect(
    Broker,
    Effect.flatMap(MemoryServer, (server) => make(server, options))
  )

/** With a server of its own. */
export const layer = (options: MemoryBrokerOptions = {}): Layer.Layer<Broker> =>
  layerClient(options).pipe(Layer.provide(MemoryServer.layerWith({})))

export const make = Effect.fnUntraced(function* (server: MemoryServer["Service"], options: MemoryBrokerOptions) {
  const clock = yield* Clock.Clock
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const up: BrokerStatus = { _tag: "Up", since: clock.currentTimeMillisUnsafe() }
  const status = yield* SubscriptionRef.make<BrokerStatus>(up)
  const client = new Client(server, options, up, status, (next) => void run(SubscriptionRef.set(status, next)))
  yield* Effect.addFinalizer(() => Effect.sync(() => client.close(clock.currentTimeMillisUnsafe())))
  return Broker.of(client)
})

class Client {
  readonly namespace: string
  readonly features: Broker["Service"]["features"] = { transport: "memory", persistent: false, remote: false }
  readonly status: SubscriptionRef.SubscriptionRef<BrokerStatus>
  readonly probes: ReadonlyArray<BrokerProbe>
  private readonly link: Link
  private readonly session = new Session()
  private current: BrokerStatus
  private readonly publishStatus: (status: BrokerStatus) => void
  /** Why nothing can be done now, or undefined when it can. */
  private fault: BrokerError | undefined

  constructor(
    server: MemoryServer["Service"],
    { name = "client", namespace = "eduflow" }: MemoryBrokerOptions,
    initial: BrokerStatus,
    status: SubscriptionRef.SubscriptionRef<BrokerStatus>,
    publishStatus: (status: BrokerStatus) => void
  ) {
    this.namespace = namespace
    this.current = initial
    this.status = status
    this.publishStatus = publishStatus
    this.link = server.connect({ name, namespace, onStatus: (next, problem) => this.setStatus(next, problem) })
    this.probes = [
      { name: "memory broker", check: Effect.sync(() => probe(this.current, this.session.lateAcknowledgements())) }
    ]
  }

  readonly send = (inFlight: InFlightMessage): void => {
    const { headers } = inFlight.message
    if (this.fault !== undefined) return inFlight.answered(notSent(this.fault))
    // AMQP cannot carry them, so they are refused here too.
    for (const name of Object.keys(headers)) if (isEndless(headers[name])) return inFlight.answered(badHeader)
    this.link.send(inFlight)
  }

  readonly declare = (spec: SubscriberSpec): Effect.Effect<void, BrokerError> =>
    this.whenReachable(() => {
      const mismatch = this.link.namespace.declare(spec)
      return mismatch === undefined ? Effect.void : Effect.fail(failed(mismatch))
    })

  readonly consume = (options: ConsumeOptions) =>
    Effect.flatMap(this.subscriberQueue(options.subscriber, options.queue), (queue) =>
      MemoryConsumer.make(this.session, this.link.faults, queue, options)
    )

  readonly consumeForeign = ({ exclusive, queue: name, ...options }: ForeignConsumeOptions) =>
    this.whenReachable(() => {
      const queue = this.link.foreign.queue(name)
      return queue.isTaken(exclusive)
        ? Effect.fail(failed(new QueueInUse({ queue: name })))
        : MemoryConsumer.make(this.session, this.link.faults, queue, { ...options, exclusive, withRoute: true })
    })

  readonly consumeEphemeral = ({ isSettled = true, letters = [], patterns, ...options }: EphemeralOptions) =>
    this.whenReachable(() => {
      // Synchronous: there is no time in which the queue exists and nobody consumes it.
      const { drop, queue } = this.link.namespace.temporary(patterns, letters)
      return MemoryConsumer.make(this.session, this.link.faults, queue, isSettled ? options : settling(options), drop)
    })

  readonly depth = (subscriber: string, kind?: QueueKind): Effect.Effect<Depth, BrokerError> =>
    Effect.map(this.subscriberQueue(subscriber, kind), (queue) => ({
      ready: queue.ready(),
      consumers: queue.consumers()
    }))

  readonly deadLetterDepth = (source: DeadLetterSource): Effect.Effect<number, BrokerError> =>
    Effect.map(this.deadLetterQueue(source), (queue) => queue.ready())

  readonly readDeadLetters = (source: DeadLetterSource): Effect.Effect<DeadLetterReader, BrokerError, Scope.Scope> =>
    Effect.flatMap(this.deadLetterQueue(source), (queue) => MemoryReader.make(this.session, queue))

  close(now: number): void {
    // No answer that is given now may reach the server again.
    this.setStatus({ _tag: "Closed", since: now }, failed(new Closed()))
    this.link.close()
  }

  private setStatus(next: BrokerStatus, problem: BrokerError | undefined): void {
    this.current = next
    this.fault = problem
    this.publishStatus(next)
    if (problem !== undefined) this.session.lose(problem)
  }

  private whenReachable<A, R>(action: () => Effect.Effect<A, BrokerError, R>): Effect.Effect<A, BrokerError, R> {
    return Effect.suspend(() => (this.fault === undefined ? action() : Effect.fail(this.fault)))
  }

  private subscriberQueue(subscriber: string, kind: QueueKind | undefined) {
    return this.found(
      () => this.link.namespace.queueOf(subscriber, kind),
      `${kind === "parked" ? "parked" : "sub"}.${subscriber}`
    )
  }

  private deadLetterQueue(source: DeadLetterSource) {
    return this.found(
      () => this.link.namespace.deadLettersOf(source),
      source._tag === "Subscriber" ? `dead.${source.name}` : "undeliverable"
    )
  }

  private found(queue: () => MemoryQueue | undefined, name: string): Effect.Effect<MemoryQueue, BrokerError> {
    return this.whenReachable(() => {
      const found = queue()
      return found === undefined ? Effect.fail(missing(`queue ${this.namespace}.${name}`)) : Effect.succeed(found)
    })
  }
}

/** Settles each delivery as soon as it is there. */
const settling = (options: Omit<EphemeralOptions, "patterns">): Omit<EphemeralOptions, "patterns"> => ({
  ...options,
  onDelivery: (delivery) => {
    delivery.ack()
    options.onDelivery(delivery)
  }
})

const failed = (reason: BrokerReason): BrokerError => new BrokerError({ reason })

const missing = (entity: string): BrokerError =>
  failed(new TopologyMissing({ entity, remedy: "register the subscriber first, or fix its name" }))

const isEndless = (value: unknown): boolean => typeof value === "number" && !Number.isFinite(value)

const badHeader = notSent(
  failed(new BrokerRefused({ operation: "publish", detail: "a header is a number that is not finite" }))
)

const probe = (status: BrokerStatus, late: number): Effect.Success<BrokerProbe["check"]> => {
  switch (status._tag) {
    case "Up":
      return { status: "up", detail: `embedded, nothing is persistent, ${late} late acknowledgements` }
    case "Blocked":
      return { status: "degraded", detail: `publishers are blocked: ${status.detail}` }
    case "Connecting":
      return { status: "down", detail: status.error?.message ?? "connecting" }
    case "Closed":
      return { status: "down", detail: "closed" }
  }
}
