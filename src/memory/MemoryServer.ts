/**
 * The embedded broker: a RabbitMQ node in this process. Several clients may share one, as several services share a
 * node. Nothing is persistent: it ends with its scope. Messages move in turns of the event loop (Turns.ts), and delays
 * follow Effect's Clock.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Monotonic from "../observe/Monotonic.ts"
import type { InFlightMessage, Outgoing, QueueKind } from "../bus/port/Broker.ts"
import { Connections, type LinkFaults } from "./Connections.ts"
import * as Delays from "./Delays.ts"
import * as Deque from "./Deque.ts"
import type { Faults } from "./Faults.ts"
import { ForeignObjects } from "./foreign/ForeignObjects.ts"
import type { Returns } from "./MemoryQueue.ts"
import { Namespace, plainQueue } from "./Namespace.ts"
import type { CutOff, Peer } from "./Peer.ts"
import { Send } from "./Sends.ts"
import { Turns } from "./Turns.ts"

export type { CutOff, Peer } from "./Peer.ts"

/** A client's connection. */
export interface Link {
  readonly namespace: Namespace
  /** What belongs to other systems. */
  readonly foreign: ForeignObjects
  readonly send: (inFlight: InFlightMessage) => void
  /** Faults of its deliveries and acknowledgements. Undefined without faults. */
  readonly faults: LinkFaults | undefined
  /** Ends it: what was sent arrives, but its answers do not. */
  readonly close: () => void
}

export interface Counts {
  /** Sends that have no answer yet. */
  readonly sending: number
  readonly unacked: number
  readonly delayed: number
  /** Ready in queues that have a consumer. */
  readonly ready: number
}

export interface MemoryServerOptions {
  /** How many of the last published events `published` returns; 0, the default, keeps none. */
  readonly remember?: number
  /** Default `"in-place"`; `"behind"` is for tests under the order of returns of RabbitMQ 3.10. */
  readonly returns?: Returns
  /** Faults that occur by themselves. Default none. */
  readonly faults?: Faults
}

export class MemoryServer extends Context.Service<
  MemoryServer,
  {
    readonly connect: (peer: Peer) => Link
    readonly counts: () => Counts
    /** When the next delay ends, in milliseconds of the monotonic clock. */
    readonly nextDue: () => number | undefined
    /** Completes when nothing is on its way, delayed, ready for a consumer or unsettled. */
    readonly idle: Effect.Effect<void>
    /** The same, but delays may remain. */
    readonly quiet: Effect.Effect<void>
    /** Stops taking publishes, like a memory alarm; answers come after `unblock`. */
    readonly block: (detail: string) => void
    readonly unblock: () => void
    /** Cuts every client off. */
    readonly disconnect: (open: CutOff) => void
    readonly reconnect: () => void
    /** Cuts off the clients with this name only. */
    readonly cut: (name: string, open: CutOff) => void
    readonly restore: (name: string) => void
    /**
     * Ends the process of these clients: nothing that they do reaches the server any more, no answer reaches them, and
     * what they held goes back.
     */
    readonly sever: (name: string, open: CutOff) => void
    /** Cancels the consumers of a subscriber, like a node that leaves its cluster; what they hold goes back. */
    readonly cancelConsumers: (subscriber: string, queue?: QueueKind) => void
    /** Deletes a subscriber's queue, in every namespace that has one; its dead letters stay. */
    readonly deleteQueue: (subscriber: string) => void
    /** The last published events, newest last. */
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

interface Delayed {
  readonly namespace: Namespace
  readonly message: Outgoing
}

class Server {
  readonly connections: Connections
  readonly turns = new Turns(() => this.connections.sends.turn())
  readonly delays = Delays.make<Delayed>()
  readonly published = Deque.make<Outgoing>()
  readonly foreign = new ForeignObjects((name) => plainQueue(name, { wake: this.turns.wake, returns: "in-place" }))
  private readonly options: MemoryServerOptions
  /** Monotonic: delays go by it. */
  private readonly now: Monotonic.Monotonic
  private readonly namespaces = new Map<string, Namespace>()
  /** Open when a delay was added that ends before all others. */
  private readonly earlier = Latch.makeUnsafe(false)

  constructor(options: MemoryServerOptions, clock: Clock.Clock, later: (millis: number, action: () => void) => void) {
    this.options = options
    this.now = Monotonic.of(clock)
    this.connections = new Connections({
      now: () => clock.currentTimeMillisUnsafe(),
      schedule: this.turns.schedule,
      store: (send) => this.store(send),
      faults: options.faults,
      later
    })
  }

  connect(peer: Peer): Link {
    const namespace = this.namespaceOf(peer.namespace)
    const { close, linkFaults } = this.connections.open(peer)
    return {
      namespace,
      foreign: this.foreign,
      send: (inFlight) => {
        this.connections.sends.push(new Send(peer, namespace, inFlight))
        this.turns.schedule()
      },
      faults: linkFaults,
      close
    }
  }

  allNamespaces(): Iterable<Namespace> {
    return this.namespaces.values()
  }

  counts(): Counts {
    let unacked = 0
    let ready = 0
    for (const namespace of this.namespaces.values()) {
      for (const queue of namespace.queues()) {
        unacked += queue.unacked()
        if (queue.consumers() > 0) ready += queue.ready()
      }
    }
    for (const queue of this.foreign.queues()) {
      unacked += queue.unacked()
      if (queue.consumers() > 0) ready += queue.ready()
    }
    return { sending: this.connections.sends.size(), unacked, delayed: this.delays.size(), ready }
  }

  /** One sleep until the first delay ends, or until one is added that ends earlier. */
  readonly passDelays = Effect.gen({ self: this }, function* () {
    this.earlier.closeUnsafe()
    const due = this.delays.next()
    if (due === undefined) return yield* this.earlier.await
    const wait = due - this.now()
    if (wait > 0) yield* this.earlier.await.pipe(Effect.timeoutOrElse({ duration: wait, orElse: () => Effect.void }))
    for (const { message, namespace } of this.delays.takeDue(this.now())) namespace.arrive(message)
  })

  private namespaceOf(name: string): Namespace {
    const known = this.namespaces.get(name)
    if (known !== undefined) return known
    const { returns = "in-place" } = this.options
    const namespace = new Namespace(name, { wake: this.turns.wake, returns, foreign: this.foreign })
    this.namespaces.set(name, namespace)
    return namespace
  }

  /** Stores a message where it belongs; returns whether a queue or a delay took it. */
  private store({ message, namespace }: Delayed): boolean {
    const { to } = message
    if (to._tag === "Event" || to._tag === "DelayedEvent") this.remember(message)
    if (to._tag === "DelayedEvent" || (to._tag === "Subscriber" && to.seconds > 0)) {
      const due = this.now() + to.seconds * 1000
      const first = this.delays.next()
      this.delays.add(due, { namespace, message })
      if (first === undefined || due < first) this.earlier.openUnsafe()
      return true
    }
    return namespace.place(message)
  }

  private remember(message: Outgoing): void {
    const { remember = 0 } = this.options
    if (remember === 0) return
    this.published.push(message)
    if (this.published.size() > remember) this.published.shift()
  }
}

const make = Effect.fnUntraced(function* (options: MemoryServerOptions) {
  const clock = yield* Clock.Clock
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const server = new Server(
    options,
    clock,
    (millis, action) => void run(Effect.andThen(Effect.sleep(millis), Effect.sync(action)))
  )
  const { connections, turns } = server
  yield* Effect.forkScoped(Effect.forever(server.passDelays))
  yield* Effect.addFinalizer(() => Effect.sync(() => connections.cutAll("not-stored")))

  const isQuiet = ({ ready, sending, unacked }: Counts): boolean => sending + unacked + ready === 0
  return MemoryServer.of({
    connect: (peer) => server.connect(peer),
    counts: () => server.counts(),
    nextDue: server.delays.next,
    idle: turns.until(() => {
      const counts = server.counts()
      return isQuiet(counts) && counts.delayed === 0
    }),
    quiet: turns.until(() => isQuiet(server.counts())),
    block: (detail) => connections.block(detail),
    unblock: () => connections.unblock(),
    disconnect: (open) => connections.cutAll(open),
    reconnect: () => connections.reconnect(),
    cut: (name, open) => connections.cut(name, open),
    restore: (name) => connections.restore(name),
    sever: (name, open) => connections.sever(name, open),
    cancelConsumers: (subscriber, queue) => {
      for (const namespace of server.allNamespaces()) namespace.queueOf(subscriber, queue)?.cancelAll()
    },
    deleteQueue: (subscriber) => {
      for (const namespace of server.allNamespaces()) namespace.deleteQueue(subscriber)
    },
    published: server.published.toArray
  })
})
