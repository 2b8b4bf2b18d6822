/**
 * The embedded broker: what a RabbitMQ node does, in this process. Several clients may share one, as
 * several services share a node. Nothing is persistent: it ends with its scope.
 *
 * Each hop of a message (into the broker, out to a consumer) takes one turn of the event loop, so
 * that interleavings exist as they do over a network; delays follow Effect's Clock.
 */
import { Clock, Context, Effect, Latch, Layer, type Scope } from "effect"
import type { Outgoing, QueueKind, SendOutcome } from "../bus/Broker.ts"
import type { CutOff, LinkFaults, Peer } from "./Connections.ts"
import * as Connections from "./Connections.ts"
import * as Delays from "./Delays.ts"
import * as Deque from "./Deque.ts"
import type { Faults } from "./Faults.ts"
import type { MemoryQueue, Returns } from "./MemoryQueue.ts"
import * as Namespace from "./Namespace.ts"
import { Send } from "./Sends.ts"

export type { CutOff, Peer } from "./Connections.ts"

/** A client's connection. */
export interface Link {
  readonly namespace: Namespace.Namespace
  readonly send: (message: Outgoing, done: (outcome: SendOutcome) => void) => void
  /** What goes wrong with its deliveries and acknowledgements, if anything. */
  readonly faults: LinkFaults | undefined
  /** Ends it: what was sent arrives, but its answers do not. */
  readonly close: () => void
}

export interface Counts {
  /** Sends that have no answer yet. */
  readonly sending: number
  readonly unacked: number
  readonly delayed: number
  /** Ready in queues that somebody consumes. */
  readonly ready: number
}

export interface MemoryServerOptions {
  /** How many of the last published events `published` tells; 0, the default, keeps none. */
  readonly remember?: number
  /** Default `"in place"`; `"behind"` is for tests of what must hold under RabbitMQ's own order of returns. */
  readonly returns?: Returns
  /** What goes wrong by itself. Default nothing. */
  readonly faults?: Faults
}

export class MemoryServer extends Context.Service<
  MemoryServer,
  {
    readonly connect: (peer: Peer) => Link
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
    /** Cuts off the clients of this name; the others notice nothing. */
    readonly cut: (name: string, open: CutOff) => void
    readonly restore: (name: string) => void
    /**
     * The process of these clients is dead: nothing that they do reaches the server any more, they hear of
     * no answer, and what they held goes back.
     */
    readonly sever: (name: string, open: CutOff) => void
    /** Cancels the consumers of a subscriber, as a node does that leaves its cluster; what they hold goes back. */
    readonly cancelConsumers: (subscriber: string, queue?: QueueKind) => void
    /** Deletes a subscriber's queue, in every namespace that has one; its dead letters stay. */
    readonly deleteQueue: (subscriber: string) => void
    /** What was published as events, newest last; the oldest are forgotten. */
    readonly published: () => ReadonlyArray<Outgoing>
  }
>()("@eduflow/events/memory/MemoryServer") {
  static readonly makeWith = (
    options: MemoryServerOptions
  ): Effect.Effect<MemoryServer["Service"], never, Scope.Scope> => make(options)
  /** For tests: it remembers the last 1,000 published events. */
  static readonly make: Effect.Effect<MemoryServer["Service"], never, Scope.Scope> = Effect.suspend(() =>
    make({ remember: 1000 })
  )
  static readonly layer: Layer.Layer<MemoryServer> = Layer.effect(MemoryServer, MemoryServer.make)
  static readonly layerWith = (options: MemoryServerOptions): Layer.Layer<MemoryServer> =>
    Layer.effect(MemoryServer, MemoryServer.makeWith(options))
}

interface Waiting {
  readonly namespace: Namespace.Namespace
  readonly message: Outgoing
}

const make = Effect.fnUntraced(function* ({ faults, remember = 0, returns = "in place" }: MemoryServerOptions) {
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const namespaces = new Map<string, Namespace.Namespace>()
  const delays = Delays.make<Waiting>()
  const earlier = yield* Latch.make(false)
  const published = Deque.make<Outgoing>()
  const watchers = new Set<() => void>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  let awake = new Set<MemoryQueue>()
  let hopping = false

  // -- what happens to a message: one function for each step ----------------------------------------

  /** Stores a message where it belongs; whether anything took it. */
  const store = ({ message, namespace }: Waiting): boolean => {
    const { to } = message
    if (to._tag === "DelayedEvent" || (to._tag === "Subscriber" && to.seconds > 0)) {
      const due = now() + to.seconds * 1000
      const first = delays.next()
      delays.add(due, { namespace, message })
      if (first === undefined || due < first) earlier.openUnsafe()
      return true
    }
    if (to._tag === "Event" && remember > 0) {
      published.push(message)
      if (published.size() > remember) published.shift()
    }
    return namespace.place(message)
  }
  // -- hops -----------------------------------------------------------------------------------------

  const schedule = (): void => {
    if (hopping) return
    hopping = true
    setImmediate(hop)
  }
  const hop = (): void => {
    hopping = false
    const queues = awake
    awake = new Set()
    for (const queue of queues) queue.pump()
    const more = sends.turn()
    if (awake.size > 0 || more) schedule()
    for (const watcher of watchers) watcher()
  }
  const wake = (queue: MemoryQueue): void => {
    awake.add(queue)
    schedule()
  }

  const counts = (): Counts => {
    let unacked = 0
    let ready = 0
    for (const namespace of namespaces.values()) {
      for (const queue of namespace.queues()) {
        unacked += queue.unacked()
        if (queue.consumers() > 0) ready += queue.ready()
      }
    }
    return { sending: sends.size(), unacked, delayed: delays.size(), ready }
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

  // -- delays ---------------------------------------------------------------------------------------

  /** One sleep until the first is due, or until one comes that is due earlier. */
  const passDelays = Effect.gen(function* () {
    earlier.closeUnsafe()
    const due = delays.next()
    if (due === undefined) return yield* earlier.await
    const wait = due - now()
    if (wait > 0) yield* earlier.await.pipe(Effect.timeoutOrElse({ duration: wait, orElse: () => Effect.void }))
    for (const { message, namespace } of delays.takeDue(now())) namespace.arrive(message)
  })
  yield* Effect.forkScoped(Effect.forever(passDelays))

  // -- connections ----------------------------------------------------------------------------------

  const connections = Connections.make({
    now,
    schedule,
    store,
    faults,
    later: (millis, action) => void run(Effect.andThen(Effect.sleep(millis), Effect.sync(action)))
  })
  const { sends } = connections
  yield* Effect.addFinalizer(() => Effect.sync(() => connections.cutAll("not stored")))

  return MemoryServer.of({
    connect: (peer) => {
      let namespace = namespaces.get(peer.namespace)
      if (namespace === undefined) {
        namespace = Namespace.make(peer.namespace, { wake, returns })
        namespaces.set(peer.namespace, namespace)
      }
      const own = namespace
      const { close, linkFaults } = connections.open(peer)
      return {
        namespace: own,
        send: (message, done) => {
          sends.push(new Send(peer, own, message, done))
          schedule()
        },
        faults: linkFaults,
        close
      }
    },
    counts,
    nextDue: delays.next,
    idle: until(({ delayed, ready, sending, unacked }) => sending + unacked + delayed + ready === 0),
    quiet: until(({ ready, sending, unacked }) => sending + unacked + ready === 0),
    block: connections.block,
    unblock: connections.unblock,
    disconnect: connections.cutAll,
    reconnect: connections.reconnect,
    cut: connections.cut,
    restore: connections.restore,
    sever: connections.sever,
    cancelConsumers: (subscriber, queue) => {
      for (const namespace of namespaces.values()) namespace.queueOf(subscriber, queue)?.cancelAll()
    },
    deleteQueue: (subscriber) => {
      for (const namespace of namespaces.values()) namespace.deleteQueue(subscriber)
    },
    published: published.toArray
  })
})
