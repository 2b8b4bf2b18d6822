/**
 * The embedded broker: what a RabbitMQ node does, in this process. Several clients may share one, as
 * several services share a node. Nothing is persistent: it ends with its scope.
 *
 * Each hop of a message (into the broker, out to a consumer) takes one turn of the event loop, so
 * that interleavings exist as they do over a network; delays follow Effect's Clock.
 */
import { Clock, Context, Effect, Latch, Layer, Schedule, type Scope } from "effect"
import type { DeadLetterSource, Outgoing, SendOutcome, SubscriberSpec } from "../bus/Broker.ts"
import { BrokerError, TopologyMismatch } from "../bus/BrokerError.ts"
import { topicMatches } from "../event/Name.ts"
import * as Delays from "./Delays.ts"
import * as Deque from "./Deque.ts"
import * as MemoryQueue from "./MemoryQueue.ts"

const deliveryLimit = 20

/** One client as the server knows it. */
export interface Peer {
  readonly onDown: (detail: string) => void
  readonly onUp: () => void
  readonly onBlocked: (detail: string | undefined) => void
}

interface Send {
  readonly peer: Peer
  readonly message: Outgoing
  readonly done: (outcome: SendOutcome) => void
}

interface Bound {
  readonly queue: MemoryQueue.MemoryQueue
  readonly patterns: Map<string, ReadonlyArray<string>>
}

/** What happens to the answers that are open when the connection is cut. */
export type CutOff = "stored" | "not stored"

export interface Counts {
  /** Sends that have no answer yet. */
  readonly sending: number
  readonly unacked: number
  readonly delayed: number
  /** Ready in queues that somebody consumes. */
  readonly ready: number
}

export class MemoryServer extends Context.Service<
  MemoryServer,
  {
    readonly connect: (peer: Peer) => () => void
    readonly send: (peer: Peer, message: Outgoing, done: (outcome: SendOutcome) => void) => void
    readonly declare: (namespace: string, spec: SubscriberSpec) => Effect.Effect<void, BrokerError>
    readonly queueOf: (subscriber: string) => MemoryQueue.MemoryQueue | undefined
    /** A queue for one consumer, gone with it. */
    readonly temporary: (patterns: ReadonlyArray<string>) => { readonly queue: MemoryQueue.MemoryQueue; readonly drop: () => void }
    /** Undefined for a subscriber that never was. */
    readonly deadLetters: (source: DeadLetterSource) => Deque.Deque<MemoryQueue.Stored> | undefined
    /** Tells that something was settled. */
    readonly settled: () => void
    readonly counts: () => Counts
    /** When the next delay ends, in milliseconds of the clock. */
    readonly nextDue: () => number | undefined
    /** Completes when nothing is on its way, delayed, ready for somebody or unsettled. */
    readonly idle: Effect.Effect<void>
    /** The same, leaving delays out of account. */
    readonly quiet: Effect.Effect<void>
    /** Stops taking publishes, like a memory alarm; answers come after `unblock`. */
    readonly block: (detail: string) => void
    readonly unblock: () => void
    /** Cuts every client off. */
    readonly disconnect: (open: CutOff) => void
    readonly reconnect: () => void
    readonly deleteQueue: (subscriber: string) => void
    /** Bodies that were published as events, newest last; the oldest are forgotten. */
    readonly published: () => ReadonlyArray<Outgoing>
  }
>()("@eduflow/events/memory/MemoryServer") {
  static readonly make: Effect.Effect<MemoryServer["Service"], never, Scope.Scope> = Effect.suspend(() => make)
  static readonly layer: Layer.Layer<MemoryServer> = Layer.effect(MemoryServer, Effect.suspend(() => make))
}

const rememberedPublishes = 1000

const make = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const peers = new Set<Peer>()
  const bound = new Map<string, Bound>()
  const temporary = new Set<Bound>()
  const routes = new Map<string, ReadonlyArray<MemoryQueue.MemoryQueue>>()
  const dead = new Map<string, Deque.Deque<MemoryQueue.Stored>>()
  const undeliverable = Deque.make<MemoryQueue.Stored>()
  const published = Deque.make<Outgoing>()
  const awake = new Set<MemoryQueue.MemoryQueue>()
  const watchers = new Set<() => void>()
  let inbound: Array<Send> = []
  let hopping = false
  let blocked: string | undefined
  let connected = true

  const delays = Delays.make<Outgoing>()
  const rearm = yield* Latch.make(false)

  // -- routing ------------------------------------------------------------------------------------

  const routeOf = (name: string): ReadonlyArray<MemoryQueue.MemoryQueue> => {
    let found = routes.get(name)
    if (found === undefined) {
      const words = name.split(".")
      found = [...bound.values(), ...temporary]
        .filter(({ patterns }) => [...patterns.values()].some((pattern) => topicMatches(pattern, words)))
        .map(({ queue }) => queue)
      if (routes.size > 10_000) routes.clear()
      routes.set(name, found)
    }
    return found
  }
  const fresh = (message: Outgoing, trusted: boolean): MemoryQueue.Stored => ({ message, trusted, returns: 0, extra: undefined })

  /** Stores a message where it belongs; whether anything took it. */
  const store = (message: Outgoing): boolean => {
    const { to } = message
    switch (to._tag) {
      case "Event": {
        published.push(message)
        if (published.size() > rememberedPublishes) published.shift()
        const queues = routeOf(to.name)
        for (const queue of queues) queue.push(fresh(message, false))
        return queues.length > 0
      }
      case "DelayedEvent":
      case "Subscriber": {
        if (to.seconds === 0) return arrive(message)
        delays.add(clock.currentTimeMillisUnsafe() + to.seconds * 1000, message)
        rearm.openUnsafe()
        return true
      }
      case "DeadLetter": {
        const letters = dead.get(to.subscriber)
        letters?.push(fresh(message, false))
        return letters !== undefined
      }
    }
  }

  /** The end of a delay: what nobody takes is kept where it can be found. */
  const arrive = (message: Outgoing): boolean => {
    const { to } = message
    const queues =
      to._tag === "Subscriber" ? [bound.get(to.name)?.queue] : to._tag === "DelayedEvent" ? routeOf(to.name) : []
    let taken = false
    for (const queue of queues) {
      queue?.push(fresh(message, to._tag === "Subscriber"))
      taken ||= queue !== undefined
    }
    if (!taken) undeliverable.push(fresh(message, false))
    return taken
  }

  // -- hops ---------------------------------------------------------------------------------------

  const schedule = (): void => {
    if (hopping) return
    hopping = true
    setImmediate(hop)
  }
  const hop = (): void => {
    hopping = false
    const queues = [...awake]
    awake.clear()
    for (const queue of queues) queue.pump()
    if (blocked === undefined) {
      const sends = inbound
      inbound = []
      for (const { done, message } of sends) done(store(message) ? routed : unrouted)
    }
    if (awake.size > 0 || (inbound.length > 0 && blocked === undefined)) schedule()
    notify()
  }
  const wake = (queue: MemoryQueue.MemoryQueue): void => {
    awake.add(queue)
    schedule()
  }
  const notify = (): void => {
    for (const watcher of watchers) watcher()
  }

  const counts = (): Counts => {
    let unacked = 0
    let ready = 0
    for (const { queue } of [...bound.values(), ...temporary]) {
      unacked += queue.unacked()
      if (queue.consumers().length > 0) ready += queue.ready()
    }
    return { sending: inbound.length, unacked, delayed: delays.size(), ready }
  }
  const until = (condition: (counts: Counts) => boolean): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const watcher = (): void => {
        if (hopping || !condition(counts())) return
        watchers.delete(watcher)
        resume(Effect.void)
      }
      watchers.add(watcher)
      schedule()
      return Effect.sync(() => {
        watchers.delete(watcher)
      })
    })

  // -- delays -------------------------------------------------------------------------------------

  const waitForNext = Effect.gen(function*() {
    rearm.closeUnsafe()
    const due = delays.next()
    if (due === undefined) return yield* rearm.await
    const wait = due - clock.currentTimeMillisUnsafe()
    if (wait > 0) yield* Effect.raceFirst(Effect.sleep(wait), rearm.await)
    for (const message of delays.takeDue(clock.currentTimeMillisUnsafe())) arrive(message)
  })
  yield* Effect.forkScoped(Effect.repeat(waitForNext, Schedule.forever))

  // -- queues -------------------------------------------------------------------------------------

  const lettersOf = (subscriber: string): Deque.Deque<MemoryQueue.Stored> => {
    const letters = dead.get(subscriber) ?? Deque.make<MemoryQueue.Stored>()
    dead.set(subscriber, letters)
    return letters
  }
  const queueFor = (name: string, singleActive: boolean, letters: Deque.Deque<MemoryQueue.Stored> | undefined) =>
    MemoryQueue.make({
      name,
      singleActive,
      deliveryLimit,
      wake,
      beyondLimit: (stored) => {
        const death = { reason: "delivery_limit", queue: name, count: 1, exchange: "", "routing-keys": [name] }
        letters?.push({ ...stored, returns: 0, extra: { "x-death": [death], "x-first-death-reason": "delivery_limit", "x-last-death-reason": "delivery_limit" } })
      }
    })

  const declare = (namespace: string, spec: SubscriberSpec): Effect.Effect<void, BrokerError> =>
    Effect.suspend(() => {
      const singleActive = spec.ordering === "key"
      const known = bound.get(spec.name)
      if (known !== undefined && known.queue.singleActive !== singleActive) {
        return Effect.fail(
          new BrokerError({
            reason: new TopologyMismatch({
              entity: `queue ${namespace}.sub.${spec.name}`,
              argument: "x-single-active-consumer",
              expected: String(singleActive),
              actual: String(!singleActive),
              remedy: "`ordering` is part of a queue's identity: use a new subscriber name, or delete the queue when it is empty"
            })
          })
        )
      }
      const entry = known ?? { queue: queueFor(`${namespace}.sub.${spec.name}`, singleActive, lettersOf(spec.name)), patterns: new Map() }
      for (const pattern of spec.patterns) entry.patterns.set(pattern, pattern.split("."))
      bound.set(spec.name, entry)
      routes.clear()
      return Effect.void
    })

  return MemoryServer.of({
    connect: (peer) => {
      peers.add(peer)
      if (!connected) peer.onDown("the broker is away")
      else if (blocked !== undefined) peer.onBlocked(blocked)
      return () => {
        peers.delete(peer)
        const open = inbound.filter((send) => send.peer === peer)
        inbound = inbound.filter((send) => send.peer !== peer)
        for (const { done } of open) done(lost)
      }
    },
    send: (peer, message, done) => {
      inbound.push({ peer, message, done })
      schedule()
    },
    declare,
    queueOf: (subscriber) => bound.get(subscriber)?.queue,
    temporary: (patterns) => {
      const entry = {
        queue: queueFor("temporary", false, undefined),
        patterns: new Map(patterns.map((pattern) => [pattern, pattern.split(".")]))
      }
      temporary.add(entry)
      routes.clear()
      return {
        queue: entry.queue,
        drop: () => {
          temporary.delete(entry)
          routes.clear()
        }
      }
    },
    deadLetters: (source) => (source._tag === "Undeliverable" ? undeliverable : dead.get(source.name)),
    settled: schedule,
    counts,
    nextDue: delays.next,
    idle: until(({ delayed, ready, sending, unacked }) => sending + unacked + delayed + ready === 0),
    quiet: until(({ ready, sending, unacked }) => sending + unacked + ready === 0),
    block: (detail) => {
      blocked = detail
      for (const peer of peers) peer.onBlocked(detail)
    },
    unblock: () => {
      blocked = undefined
      for (const peer of peers) peer.onBlocked(undefined)
      schedule()
    },
    disconnect: (open) => {
      connected = false
      const sends = inbound
      inbound = []
      for (const { done, message } of sends) {
        if (open === "stored") store(message)
        done(lost)
      }
      for (const peer of peers) peer.onDown("the connection was cut")
    },
    reconnect: () => {
      connected = true
      for (const peer of peers) peer.onUp()
    },
    deleteQueue: (subscriber) => {
      const entry = bound.get(subscriber)
      bound.delete(subscriber)
      routes.clear()
      entry?.queue.drop()
    },
    published: published.toArray
  })
})

const routed: SendOutcome = { _tag: "Confirmed", routed: true }
const unrouted: SendOutcome = { _tag: "Confirmed", routed: false }
const lost: SendOutcome = { _tag: "Lost" }
