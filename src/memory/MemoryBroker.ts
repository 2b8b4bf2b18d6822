/**
 * The port `Broker` over the embedded server: one client of it. By default it has a server of its own;
 * `layerOf` connects to one that others use too.
 */
import { Clock, Effect, Layer, type Scope, SubscriptionRef } from "effect"
import { Broker, type BrokerStatus, type ConsumeOptions, type Consumer, type DeadLetterSource, type Delivery, type SendOutcome } from "../bus/Broker.ts"
import { BrokerError, type BrokerReason, BrokerRefused, Closed, ConnectionFailed, TopologyMissing } from "../bus/BrokerError.ts"
import type { MemoryQueue, QueueConsumer, Stored } from "./MemoryQueue.ts"
import { MemoryServer, type Peer } from "./MemoryServer.ts"

export interface MemoryBrokerOptions {
  /** Default `"eduflow"`. */
  readonly namespace?: string
}

export const layerOf = (server: MemoryServer["Service"], options: MemoryBrokerOptions = {}): Layer.Layer<Broker> =>
  Layer.effect(Broker, make(server, options))

/** With the `MemoryServer` of the context. */
export const layerClient = (options: MemoryBrokerOptions = {}): Layer.Layer<Broker, never, MemoryServer> =>
  Layer.effect(Broker, Effect.flatMap(MemoryServer, (server) => make(server, options)))

export const layer = (options: MemoryBrokerOptions = {}): Layer.Layer<Broker> =>
  layerClient(options).pipe(Layer.provide(MemoryServer.layer))

const failed = (reason: BrokerReason): BrokerError => new BrokerError({ reason })
const away = (detail: string): BrokerError => failed(new ConnectionFailed({ address: "the embedded broker", detail }))

export const make = Effect.fnUntraced(function*(server: MemoryServer["Service"], options: MemoryBrokerOptions) {
  const { namespace = "eduflow" } = options
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const status = yield* SubscriptionRef.make<BrokerStatus>({ _tag: "Up", since: now() })
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const losses = new Set<(error: BrokerError) => void>()
  let closed = false
  let down: string | undefined

  const set = (next: BrokerStatus): void => {
    run(SubscriptionRef.set(status, next))
  }
  const peer: Peer = {
    onDown: (detail) => {
      down = detail
      set({ _tag: "Connecting", since: now(), error: away(detail) })
      for (const lose of losses) lose(away(detail))
    },
    onUp: () => {
      down = undefined
      set({ _tag: "Up", since: now() })
    },
    onBlocked: (detail) =>
      set(detail === undefined ? { _tag: "Up", since: now() } : { _tag: "Blocked", since: now(), detail })
  }
  const disconnect = server.connect(peer)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      set({ _tag: "Closed", since: now() })
      for (const lose of losses) lose(failed(new Closed()))
      disconnect()
    })
  )
  const reachable = Effect.suspend(() =>
    closed ? Effect.fail(failed(new Closed())) : down !== undefined ? Effect.fail(away(down)) : Effect.void
  )

  /** A consumer of a queue, until the scope ends or it is lost. */
  const attach = (
    queue: MemoryQueue,
    { onDelivery, onLost, prefetch }: Omit<ConsumeOptions, "subscriber">
  ): Effect.Effect<Consumer, never, Scope.Scope> =>
    Effect.gen(function*() {
      let gone = false
      const end = (error: BrokerError | undefined): void => {
        if (gone) return
        gone = true
        losses.delete(end)
        queue.remove(consumer)
        if (error !== undefined) onLost(error)
      }
      const consumer: QueueConsumer = {
        prefetch,
        unacked: new Set(),
        cancelling: false,
        deliver: (stored) => onDelivery(deliveryOf(stored, () => gone, () => {
          consumer.unacked.delete(stored)
          queue.wake()
          server.settled()
        })),
        cancelled: () => end(failed(new BrokerRefused({ operation: "consume", detail: "the queue was deleted" })))
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          losses.add(end)
          queue.add(consumer)
        }),
        () => Effect.sync(() => end(undefined))
      )
      return { cancel: Effect.sync(() => queue.cancel(consumer)) }
    })

  const missing = (subscriber: string) =>
    failed(new TopologyMissing({ entity: `queue ${namespace}.sub.${subscriber}`, remedy: "register the subscriber first" }))

  const lettersOf = (source: DeadLetterSource) =>
    Effect.suspend(() => {
      const letters = server.deadLetters(source)
      return letters !== undefined
        ? Effect.succeed(letters)
        : Effect.fail(
            failed(
              new TopologyMissing({
                entity: `queue ${namespace}.dead.${source._tag === "Subscriber" ? source.name : ""}`,
                remedy: "register the subscriber first, or fix its name"
              })
            )
          )
    })

  return Broker.of({
    namespace,
    features: { transport: "memory", persistent: false, remote: false },
    status,
    send: (message, done) => {
      if (closed) done(notSent(failed(new Closed())))
      else if (down !== undefined) done(notSent(away(down)))
      else server.send(peer, message, done)
    },
    declare: (spec) => Effect.andThen(reachable, server.declare(namespace, spec)),
    consume: (options) =>
      Effect.gen(function*() {
        yield* reachable
        const queue = server.queueOf(options.subscriber)
        return queue === undefined ? yield* Effect.fail(missing(options.subscriber)) : yield* attach(queue, options)
      }),
    consumeEphemeral: ({ patterns, ...options }) =>
      Effect.gen(function*() {
        yield* reachable
        const { queue } = yield* Effect.acquireRelease(
          Effect.sync(() => server.temporary(patterns)),
          ({ drop }) => Effect.sync(drop)
        )
        return yield* attach(queue, options)
      }),
    depth: (subscriber) =>
      Effect.suspend(() => {
        const queue = server.queueOf(subscriber)
        return queue === undefined
          ? Effect.fail(missing(subscriber))
          : Effect.succeed({ ready: queue.ready(), consumers: queue.consumers().length })
      }),
    deadLetterDepth: (source) => Effect.map(lettersOf(source), (letters) => letters.size()),
    readDeadLetters: (source) =>
      Effect.gen(function*() {
        yield* reachable
        const letters = yield* lettersOf(source)
        const held = new Set<Stored>()
        let closedReader = false
        const reading = yield* Effect.acquireRelease(
          Effect.sync(() => ({ count: letters.size() })),
          () =>
            Effect.sync(() => {
              closedReader = true
              for (const stored of [...held].toReversed()) letters.pushFront(stored)
              held.clear()
            })
        )
        return {
          count: reading.count,
          next: Effect.sync(() => {
            const stored = letters.shift()
            if (stored === undefined) return undefined
            held.add(stored)
            return deliveryOf(stored, () => closedReader, () => {
              held.delete(stored)
            })
          })
        }
      }),
    probes: [
      {
        name: "memory broker",
        check: Effect.sync(() =>
          down === undefined ? { status: "up", detail: "embedded, nothing is persistent" } : { status: "down", detail: down }
        )
      }
    ]
  })
})

const notSent = (error: BrokerError): SendOutcome => ({ _tag: "NotSent", error })

const deliveryOf = (stored: Stored, lost: () => boolean, settle: () => void): Delivery => {
  const { headers, properties, to, body } = stored.message
  let settled = false
  return {
    body,
    properties: { ...properties, correlationId: properties.correlationId },
    headers: Object.assign(
      Object.create(null) as Record<string, unknown>,
      headers,
      stored.extra,
      stored.returns > 0 ? { "x-delivery-count": stored.returns } : undefined
    ),
    trusted: stored.trusted,
    redelivered: stored.returns > 0,
    deliveryCount: stored.returns,
    routingKey: to._tag === "Event" || to._tag === "DelayedEvent" ? to.name : "",
    ack: () => {
      if (settled || lost()) return
      settled = true
      settle()
    },
    lost
  }
}
