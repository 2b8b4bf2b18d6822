/**
 * The subscribers of a bus: starts them, knows which ones run and how much they may hold together, and drains
 * those of one scope together.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { getHeapStatistics } from "node:v8"
import type * as Event from "../event/Event.ts"
import * as Limits from "../event/Limits.ts"
import type * as Log from "../observe/Log.ts"
import type { OnDeadLetter } from "./delivery/PolicyParts.ts"
import { withoutFlow } from "./support/WithoutFlow.ts"
import * as ForeignSubscriber from "./foreign/ForeignSubscriber.ts"
import * as InboxOption from "./subscriber/InboxOption.ts"
import * as SubscriberNames from "./subscriber/SubscriberNames.ts"
import type * as SubscriberOptions from "./subscriber/SubscriberOptions.ts"
import * as SubscriberSettings from "./subscriber/SubscriberSettings.ts"
import type { Subscription } from "./subscriber/Subscription.ts"
import type { Provided } from "./ProvidedHooks.ts"
import * as Surround from "./Surround.ts"
import type { SharedParts } from "./supervise/SharedParts.ts"
import * as Supervisor from "./supervise/Supervisor.ts"
import type { KnownEvents } from "./support/KnownEvents.ts"

const heapLimit = getHeapStatistics().heap_size_limit

/** Warns when all subscribers together may hold more than the heap bears: memory is bounded by their prefetch. */
class PrefetchTotal {
  private readonly log: Log.Log
  private total = 0
  private warned = false

  constructor(log: Log.Log) {
    this.log = log
  }

  add(prefetch: number): void {
    this.total += prefetch
    if (this.warned || this.total * Limits.defaults.bodyBytes <= heapLimit / 4) return
    this.warned = true
    this.log.warning("the subscribers of this process may hold more than a quarter of the heap", {
      prefetched: this.total,
      largestBody: Limits.defaults.bodyBytes,
      heapLimit,
      remedy: "lower `prefetch` or `concurrency`, or raise --max-old-space-size"
    })
  }

  remove(prefetch: number): void {
    this.total -= prefetch
  }
}

/** The running subscriptions of a bus. */
class Registry {
  private readonly running = new Set<Subscription>()
  private readonly ofScope = new WeakMap<Scope.Scope, Set<Subscription>>()
  private readonly prefetchTotal: PrefetchTotal

  constructor(log: Log.Log) {
    this.prefetchTotal = new PrefetchTotal(log)
  }

  all(): ReadonlyArray<Subscription> {
    return [...this.running]
  }

  /** Starts a subscriber and keeps it until its scope ends. */
  register<E, R>(prefetch: number, start: Effect.Effect<Subscription, E, R>) {
    const { ofScope, prefetchTotal, running } = this
    return Effect.gen(function* () {
      const scope = yield* Effect.scope
      const own: Array<Subscription> = []
      // Added first, so it runs last: the bus waits for a subscription that drains by itself.
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          for (const subscription of own) {
            running.delete(subscription)
            prefetchTotal.remove(prefetch)
          }
        })
      )
      const subscription = yield* start
      own.push(subscription)
      running.add(subscription)
      prefetchTotal.add(prefetch)
      // A scope ends its subscriptions one after the other: the first to end makes all of them begin to drain.
      const siblings = ofScope.get(scope) ?? new Set()
      ofScope.set(scope, siblings.add(subscription))
      yield* Effect.addFinalizer(() =>
        Effect.forEach([...siblings], ({ drain }) => Effect.forkDetach(drain, { startImmediately: true }), {
          discard: true
        })
      )
      return subscription
    })
  }
}

/** The failure policy calls it: see `PolicySubscriber`. */
const withHook = <Settled extends object>(settled: Settled, onDeadLetter: OnDeadLetter): Settled => ({
  ...settled,
  onDeadLetter
})

export const make = (options: {
  readonly shared: SharedParts
  readonly known: KnownEvents
  readonly names: SubscriberNames.SubscriberNames
  /** Hooks of the bus, the outermost first. */
  readonly hooks: ReadonlyArray<Provided>
  /** Called for each durable subscriber that has started, until the current scope ends. */
  readonly onStart: (subscriber: string) => Effect.Effect<unknown, never, Scope.Scope>
}) => {
  const { hooks, known, names, onStart, shared } = options
  const registry = new Registry(shared.log)
  const ephemeral = new WeakSet<Subscription>()
  let ephemeralCount = 0

  const start = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(
    name: string,
    options: SubscriberOptions.AllOptions<E, Err, R>,
    isEphemeral: boolean,
    onGap: () => void,
    onDeadLetter?: OnDeadLetter
  ) {
    const settled = yield* Effect.fromResult(SubscriberSettings.settle(name, options, isEphemeral))
    for (const contract of settled.contracts.values()) {
      contract.dataCodec.prepare()
      // What looks on for a while is no part of what the fleet relies on.
      if (isEphemeral) known.add(contract.name)
      else known.handles(contract)
    }
    yield* SubscriberSettings.checkSchedule(settled)
    if (settled.idempotent && shared.leases === undefined) return yield* SubscriberSettings.withoutStore(name)
    // A handler passes on what its delivery brought, and nothing of whoever started its subscriber.
    const context = withoutFlow(yield* Effect.context<SubscriberOptions.Required<R>>())
    // Each delivery brings the Scope that the handler may need; the caller brings the rest.
    const asked = settled as SubscriberSettings.Settled<E, Err, SubscriberOptions.Required<R>>
    const inner = settled.inbox ? yield* InboxOption.over(asked, context) : asked
    const own = Surround.subscriber(onDeadLetter === undefined ? inner : withHook(inner, onDeadLetter), hooks)
    const holder = isEphemeral ? undefined : yield* names.hold(name, SubscriberNames.behaviourOf(settled))
    const subscription = yield* registry.register(
      settled.prefetch,
      settled.foreign === undefined
        ? Supervisor.start(shared, own, context, onGap)
        : ForeignSubscriber.start(shared, own, settled.foreign, context)
    )
    if (holder === undefined) ephemeral.add(subscription)
    else {
      holder.subscription = subscription
      yield* onStart(name)
    }
    return subscription
  })

  return {
    all: () => registry.all(),
    /** Those with a queue that outlives the process: health depends on them. */
    durable: () => registry.all().filter((subscription) => !ephemeral.has(subscription)),
    start: <E extends Event.Any, Err, R>(
      name: string,
      options: SubscriberOptions.AllOptions<E, Err, R>
    ): SubscriberOptions.Started<R> => start(name, options, false, () => {}),
    startReplier: <E extends Event.Any, Err, R>(
      name: string,
      options: SubscriberOptions.SingleOptions<E, Err, R>,
      onDeadLetter: OnDeadLetter
    ): SubscriberOptions.Started<R> => start(name, options, false, () => {}, onDeadLetter),
    startEphemeral: <E extends Event.Any, Err, R>(
      options: SubscriberOptions.SubscriberOptions<E, Err, R> & SubscriberOptions.GapOptions
    ): SubscriberOptions.Started<R> =>
      start(`ephemeral-${++ephemeralCount}`, options, true, options?.onGap ?? (() => {}))
  }
}

export type Subscriptions = ReturnType<typeof make>
