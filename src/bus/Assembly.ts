/**
 * Puts the bus together: its doors, what publishes, what subscribes, what looks after both, and how all of it
 * ends.
 */
import { Clock, Context, Deferred, Duration, Effect, Layer, Option, SubscriptionRef } from "effect"
import type * as Event from "../event/Event.ts"
import { EventDefinitionError } from "../event/EventError.ts"
import * as Health from "../observe/Health.ts"
import * as Log from "../observe/Log.ts"
import type { Place } from "../observe/Messaging.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"
import * as Trace from "../observe/Trace.ts"
import { sharedStores } from "./Admission.ts"
import { Broker } from "./Broker.ts"
import * as Budget from "./Budget.ts"
import { SubscribeError } from "./BusError.ts"
import * as Door from "./Door.ts"
import { type BusOptions, EventBus } from "./EventBus.ts"
import { EventCache } from "./EventCache.ts"
import * as EventLoop from "./EventLoop.ts"
import * as Failures from "./Failures.ts"
import { CurrentIds } from "./Ids.ts"
import * as Levels from "./Levels.ts"
import { Marks } from "./Marks.ts"
import * as Outbox from "./Outbox.ts"
import * as Probes from "./Probes.ts"
import * as Publisher from "./Publisher.ts"
import { sourceFault } from "./PublishOptions.ts"
import * as Roster from "./Roster.ts"
import * as Settlement from "./Settlement.ts"
import { CurrentShutdown } from "./Shutdown.ts"
import type * as SubscriberOptions from "./SubscriberOptions.ts"
import * as SubscriberSettings from "./SubscriberSettings.ts"
import type * as Subscribing from "./Subscribing.ts"
import type * as Subscription from "./Subscription.ts"
import * as Supervisor from "./Supervisor.ts"
import * as Tail from "./Tail.ts"
import type { Surroundings } from "./Surroundings.ts"
import * as Watch from "./Watch.ts"

/** The bus over ports that are there already: built at once, without loading anything. */
export const layerWith = (options: BusOptions): Layer.Layer<EventBus, never, Broker | EventCache> =>
  Layer.effect(EventBus, make(options))

const make = Effect.fnUntraced(function* (options: BusOptions) {
  const broker = yield* Broker
  const cache = yield* EventCache
  const context = yield* Effect.context<never>()
  const shutdown = yield* CurrentShutdown
  const source = options.source ?? "service"
  const fault = sourceFault(source)
  if (fault !== undefined) {
    return yield* Effect.die(
      new EventDefinitionError({ event: source, problem: fault, remedy: "Name the service in words of a-z, 0-9 and -" })
    )
  }
  const log = yield* Log.make
  const resent = Meter.bind(Metrics.resent, context)
  const callers = Door.make({ count: 1000, bytes: 32 * 1024 * 1024, ...options.inFlight })
  const settling = Door.make({ count: 250, bytes: 8 * 1024 * 1024 })
  const outbox = yield* Outbox.make(broker, callers, resent.update)
  const copies = yield* Outbox.make(broker, settling, resent.update)
  const place: Place = {
    system: broker.features.transport === "amqp" ? "rabbitmq" : "memory",
    namespace: broker.namespace,
    server: broker.features.server
  }
  const trace = Trace.make(context, place, options.traceRelation)
  const publisher = yield* Publisher.make(cache, outbox, {
    source,
    trace,
    log,
    timeout: Duration.fromInputUnsafe(options.publishTimeout ?? "15 seconds"),
    authorise: options.authorise ?? "contracts"
  })
  const settlement = yield* Settlement.make(broker, copies, log)
  const dropped = Meter.bind(Metrics.failuresDropped, context)
  const drains = Meter.bindBy(Metrics.drainDuration, context, {}, "eventbus.outcome")
  drains("whole")
  const failures = yield* Failures.make(
    (data) => Effect.ignore(publisher.publish(Failures.EventDeadLettered, data, { timeout: "5 seconds" })),
    dropped.update
  )
  const total = Duration.toMillis(Duration.fromInputUnsafe(options.drain ?? "25 seconds"))
  const budget = Budget.split(total)
  shutdown.budget = Math.max(shutdown.budget ?? 0, total)
  const marks = Option.getOrUndefined(yield* Effect.serviceOption(Marks))
  const stores = yield* sharedStores
  const clock = yield* Clock.Clock
  const process = (yield* CurrentIds).next(clock.currentTimeMillisUnsafe())
  let drainBegan = Number.NEGATIVE_INFINITY
  const surroundings: Surroundings = {
    broker,
    settlement,
    failures,
    log,
    trace,
    place,
    drain: budget,
    onDrain: () => {
      // Those that drain together share the time; one that drained long ago is another matter.
      const now = clock.currentTimeMillisUnsafe()
      if (now - drainBegan > total) drainBegan = now
    },
    marks,
    cache: cache.store,
    stores,
    process
  }
  const eventLoop = yield* EventLoop.watch(context)
  const levels = yield* Levels.watch({ broker, cache, callers, settling })
  const roster = Roster.make(log)
  const tails = new WeakSet<Subscription.Subscription>()
  let tailsBegun = 0

  const begin = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(
    name: string,
    options: SubscriberOptions.SubscriberOptions<E, Err, R>,
    ephemeral: boolean,
    onGap: () => void
  ) {
    const settled = SubscriberSettings.settle(name, options, ephemeral)
    if (settled instanceof SubscribeError) return yield* settled
    yield* SubscriberSettings.checkSchedule(settled)
    if (settled.idempotent && marks === undefined) return yield* SubscriberSettings.withoutStore(name)
    const handlers = yield* Effect.context<SubscriberOptions.Required<R>>()
    const subscription = yield* roster.enter(
      settled.prefetch,
      Supervisor.start(
        surroundings,
        // Each delivery brings the Scope that the handler may need, the caller brings the rest.
        settled as SubscriberSettings.Settled<E, Err, SubscriberOptions.Required<R>>,
        handlers,
        onGap
      )
    )
    if (ephemeral) tails.add(subscription)
    else yield* levels.subscriber(name)
    return subscription
  })

  const ephemeralName = () => `ephemeral-${++tailsBegun}`

  const watch = yield* Watch.make({
    store: cache.store,
    subscribe: (options) => begin(ephemeralName(), options, true, options.onGap),
    log
  })

  const drainNow = Effect.gen(function* () {
    const began = clock.currentTimeMillisUnsafe()
    surroundings.onDrain()
    // Handlers may still publish until they are done; nobody else may.
    callers.setPhase("handlers only")
    const ended = yield* Effect.forEach(roster.all(), (subscription) => subscription.drain, {
      concurrency: "unbounded"
    })
    outbox.shut()
    // What the subscribers left of the time until connections close.
    const left = total - budget.close - (clock.currentTimeMillisUnsafe() - drainBegan)
    const flushed = yield* Budget.within(Math.max(0, left), Effect.andThen(outbox.flushed, copies.flushed))
    const whole = ended.every(Boolean) && flushed
    drains(whole ? "whole" : "cut off").update((clock.currentTimeMillisUnsafe() - began) / 1000)
    if (!whole) {
      shutdown.cutOff = true
      log.warning("the drain was cut off", { publishesOpen: callers.inFlight(), copiesOpen: settling.inFlight() })
    }
    return whole
  })
  const drained = yield* Deferred.make<boolean>()
  let draining = false
  /** Once, whoever asks, and to its end. */
  const drain = Effect.suspend(() => {
    if (draining) return Deferred.await(drained)
    draining = true
    return Effect.onExit(drainNow, (exit) => Deferred.done(drained, exit))
  }).pipe(Effect.uninterruptible)

  // Runs before the broker's connections close: what is in flight gets its answer.
  yield* Effect.addFinalizer(() => drain)

  return EventBus.of({
    publish: publisher.publish,
    publishAll: publisher.publishAll,
    subscribe: <E extends Event.Any, Err, R>(
      name: string,
      options: SubscriberOptions.SubscriberOptions<E, Err, R>
    ): Subscribing.Started<R> => begin(name, options, false, () => {}),
    subscribeEphemeral: <E extends Event.Any, Err, R>(
      options: SubscriberOptions.SubscriberOptions<E, Err, R> & Subscribing.Gaps
    ): Subscribing.Started<R> => begin(ephemeralName(), options, true, options.onGap ?? (() => {})),
    stream: Tail.make((options, onGap) => begin(ephemeralName(), options, true, onGap)),
    watch,
    failures: failures.stream,
    tree: Effect.gen(function* () {
      const subscribers = yield* Effect.forEach(roster.all(), (subscription) => subscription.tree)
      const figures = (door: Door.Door) => ({ inFlight: door.inFlight(), bytes: door.bytes(), waiting: door.waiting() })
      return {
        source,
        namespace: broker.namespace,
        broker: yield* SubscriptionRef.get(broker.status),
        publishing: figures(callers),
        settling: figures(settling),
        subscribers
      }
    }),
    subscriptions: Effect.sync(() => roster.all()),
    probes: Effect.sync(() => [
      ...broker.probes.map((probe): Health.Probe => ({ name: probe.name, critical: true, check: probe.check })),
      { name: "cache", critical: false, check: cache.store.probe },
      Probes.writeBehind(cache.store),
      eventLoop,
      ...Context.get(context, Health.CurrentProbes),
      levels.probe,
      { name: "doors", critical: false, check: Effect.sync(() => Probes.doors(callers, settling)) },
      // A tail is outside of P3, and so of health.
      ...roster
        .all()
        .filter((one) => !tails.has(one))
        .map(Probes.subscriber)
    ]),
    drain
  })
})
