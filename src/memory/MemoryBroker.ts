/**
 * The port `Broker` over the embedded server: one client of it. By default it has a server of its own;
 * `layerOf` connects to one that others use too.
 */
import { Clock, Effect, Layer, type Scope, SubscriptionRef } from "effect"
import {
  Broker,
  type BrokerProbe,
  type BrokerStatus,
  type DeadLetterReader,
  type DeadLetterSource,
  type QueueKind,
  type SendOutcome
} from "../bus/Broker.ts"
import { BrokerError, type BrokerReason, BrokerRefused, Closed, TopologyMissing } from "../bus/BrokerError.ts"
import * as Population from "../bus/Population.ts"
import * as MemoryConsumer from "./MemoryConsumer.ts"
import { MemoryDelivery, type Receiver } from "./MemoryDelivery.ts"
import type { Holder, MemoryQueue } from "./MemoryQueue.ts"
import { MemoryServer } from "./MemoryServer.ts"

export interface MemoryBrokerOptions {
  /** Default `"eduflow"`. */
  readonly namespace?: string
  /** What the server calls this client, where it is to be cut off alone. Default `"client"`. */
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
  const { name = "client", namespace = "eduflow" } = options
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const open = new Set<MemoryConsumer.Open>()
  let current: BrokerStatus = { _tag: "Up", since: now() }
  const status = yield* SubscriptionRef.make<BrokerStatus>(current)
  /** Why nothing can be done now, or undefined when it can. */
  let fault: BrokerError | undefined

  const set = (next: BrokerStatus, problem: BrokerError | undefined): void => {
    current = next
    fault = problem
    run(SubscriptionRef.set(status, next))
    if (problem === undefined) return
    // All of them before anybody hears of it: what is done then may not settle what another one had.
    const gone = [...open]
    for (const { end } of gone) end()
    for (const { tell } of gone) tell(problem)
  }
  const link = server.connect({ name, namespace, onStatus: set })
  const client: MemoryConsumer.Client = { open, faults: link.faults, late: 0 }
  const own = link.namespace
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      // No answer that is given now may reach the server again.
      set({ _tag: "Closed", since: now() }, failed(new Closed()))
      link.close()
    })
  )

  const reachable = Effect.suspend(() => (fault === undefined ? Effect.void : Effect.fail(fault)))
  const found = (queue: () => MemoryQueue | undefined, name: string): Effect.Effect<MemoryQueue, BrokerError> =>
    Effect.andThen(
      reachable,
      Effect.suspend(() => {
        const there = queue()
        return there === undefined ? Effect.fail(missing(`queue ${namespace}.${name}`)) : Effect.succeed(there)
      })
    )
  const subscriberQueue = (subscriber: string, kind: QueueKind | undefined) =>
    found(() => own.queueOf(subscriber, kind), `${kind === "parked" ? "parked" : "sub"}.${subscriber}`)
  const letters = (source: DeadLetterSource) =>
    found(() => own.deadLettersOf(source), source._tag === "Subscriber" ? `dead.${source.name}` : "undeliverable")

  const read = Effect.fnUntraced(function* (source: DeadLetterSource) {
    const queue = yield* letters(source)
    const holder: Holder = { unacked: Population.make() }
    let ended = false
    let problem = failed(new Closed())
    const lost = (): boolean => ended
    const end = (): void => {
      if (ended) return
      ended = true
      client.open.delete(reader)
      queue.release(holder)
    }
    const receiver: Receiver = {
      lost,
      acknowledge: (stored) => MemoryConsumer.counted(client, !ended && queue.settle(holder, stored))
    }
    const reader: MemoryConsumer.Open = { end, tell: (error) => void (problem = error) }
    yield* Effect.acquireRelease(
      Effect.sync(() => client.open.add(reader)),
      () => Effect.sync(end)
    )
    return {
      count: queue.ready(),
      next: Effect.gen(function* () {
        if (ended) return yield* problem
        const stored = queue.take(holder)
        if (stored === undefined) return undefined
        return new MemoryDelivery(stored, receiver)
      })
    } satisfies DeadLetterReader
  })

  return Broker.of({
    namespace,
    features: { transport: "memory", persistent: false, remote: false },
    status,
    send: (message, done) => {
      if (fault !== undefined) return done({ _tag: "NotSent", error: fault })
      // What the wire would not take is refused here too.
      for (const name of Object.keys(message.headers)) if (isEndless(message.headers[name])) return done(badHeader)
      link.send(message, done)
    },
    declare: (spec) =>
      Effect.andThen(
        reachable,
        Effect.suspend(() => {
          const mismatch = own.declare(spec)
          return mismatch === undefined ? Effect.void : Effect.fail(failed(mismatch))
        })
      ),
    consume: (options) =>
      Effect.flatMap(subscriberQueue(options.subscriber, options.queue), (queue) =>
        MemoryConsumer.make(client, queue, options)
      ),
    consumeEphemeral: ({ patterns, ...options }) =>
      Effect.andThen(
        reachable,
        // Nothing can come between: the queue is there and consumed, or not there.
        Effect.suspend(() => {
          const { drop, queue } = own.temporary(patterns)
          return MemoryConsumer.make(client, queue, options, drop)
        })
      ),
    depth: (subscriber, kind) =>
      Effect.map(subscriberQueue(subscriber, kind), (queue) => ({
        ready: queue.ready(),
        consumers: queue.consumers()
      })),
    deadLetterDepth: (source) => Effect.map(letters(source), (queue) => queue.ready()),
    readDeadLetters: (source): Effect.Effect<DeadLetterReader, BrokerError, Scope.Scope> => read(source),
    probes: [{ name: "memory broker", check: Effect.sync(() => probe(current, client.late)) }]
  })
})

const failed = (reason: BrokerReason): BrokerError => new BrokerError({ reason })

const missing = (entity: string): BrokerError =>
  failed(new TopologyMissing({ entity, remedy: "register the subscriber first, or fix its name" }))

const isEndless = (value: unknown): boolean => typeof value === "number" && !Number.isFinite(value)

const badHeader: SendOutcome = {
  _tag: "NotSent",
  error: failed(new BrokerRefused({ operation: "publish", detail: "a header is a number that is not finite" }))
}

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
