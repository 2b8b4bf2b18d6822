/**
 * Builds the bus over its ports: its publisher, its subscribers, their gauges and probes, and the drain that ends
 * them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { EventDefinitionError } from "../event/EventError.ts"
import { CurrentProbes } from "../observe/Health.ts"
import * as Log from "../observe/Log.ts"
import type { BrokerIdentity } from "../observe/Messaging.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"
import * as Trace from "../observe/Trace.ts"
import { sharedStores } from "./admit/Admission.ts"
import * as Leases from "./admit/Leases.ts"
import * as BusDrain from "./BusDrain.ts"
import { BusInternals } from "./BusInternals.ts"
import * as Copies from "./delivery/Copies.ts"
import { RefusedCopies } from "./delivery/RefusedCopies.ts"
import { EventDeadLettered } from "./delivery/EventDeadLettered.ts"
import * as FailureFeed from "./delivery/FailureFeed.ts"
import { EventBus } from "./EventBus.ts"
import { Trials } from "./handle/Trials.ts"
import * as BusGauges from "./health/BusGauges.ts"
import * as BusProbes from "./health/BusProbes.ts"
import * as EventLoop from "./health/EventLoop.ts"
import { Broker } from "./port/Broker.ts"
import { CacheStore } from "./port/CacheStore.ts"
import { ClaimStore } from "./port/ClaimStore.ts"
import { Fleet } from "./port/Fleet.ts"
import * as Publisher from "./publish/Publisher.ts"
import { sourceFault } from "./publish/PublishOptions.ts"
import * as LiveStream from "./read/LiveStream.ts"
import * as WatchStream from "./read/WatchStream.ts"
import { CurrentAround } from "./ProvidedHooks.ts"
import * as Recurrences from "./recurring/Recurrences.ts"
import * as Replier from "./request/Replier.ts"
import * as Requests from "./request/Requests.ts"
import * as InFlightLimit from "./send/InFlightLimit.ts"
import * as Outbox from "./send/Outbox.ts"
import { CurrentNames, SubscriberNames } from "./subscriber/SubscriberNames.ts"
import * as Subscriptions from "./Subscriptions.ts"
import * as Surround from "./Surround.ts"
import * as FleetMember from "./supervise/FleetMember.ts"
import type { SharedParts } from "./supervise/SharedParts.ts"
import { CurrentIds } from "./support/EventIds.ts"
import { KnownEvents } from "./support/KnownEvents.ts"
import { LongHandlers } from "./support/LongHandlers.ts"
import { CurrentShutdown } from "./support/Shutdown.ts"

/** The bus, without loading anything: for programs that have loaded this module anyway. */
export const layerWith = (
  options: EventBus.Options
): Layer.Layer<EventBus | BusInternals, never, Broker | CacheStore> => Layer.effectContext(make(options))

const make = Effect.fnUntraced(function* (options: EventBus.Options) {
  const broker = yield* Broker
  const cache = yield* CacheStore
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const source = yield* checkedSource(options.source ?? "service")
  const log = yield* Log.make
  const publishing = yield* sending(broker, { count: 1000, bytes: 32 * 1024 * 1024, ...options.inFlight })
  const settling = yield* sending(broker, { count: 250, bytes: 8 * 1024 * 1024 })
  const trace = Trace.make(context, placeOf(broker), options.traceRelation)
  const known = new KnownEvents()
  const publisher = yield* Publisher.make(cache, publishing.outbox, {
    source,
    trace,
    log,
    known,
    timeout: Duration.fromInputUnsafe(options.publishTimeout ?? "15 seconds"),
    authorise: options.authorise ?? "contracts"
  })
  const failures = yield* failuresOver(publisher)
  const drainClock = new BusDrain.DrainClock(options.drainTimeout ?? "25 seconds", clock)
  yield* widenBudget(drainClock.totalMillis)
  const refusedCopies = new RefusedCopies(clock)
  const process = (yield* CurrentIds).next(clock.currentTimeMillisUnsafe())
  const shared: SharedParts = {
    broker,
    copiesOf: yield* Copies.make(broker, settling.outbox, log, refusedCopies),
    failures,
    log,
    trace,
    place: trace.broker,
    longHandlers: new LongHandlers(),
    trials: new Trials(),
    drainBudget: drainClock.budget,
    onDrain: drainClock.begin,
    leases: yield* leasesOver(log),
    cache,
    stores: yield* sharedStores,
    fleet: yield* fleetMember(options, { known, log, process, source }, connectionOf(broker, publishing.limit)),
    process
  }
  const ofPorts = BusProbes.ofPorts(broker, cache)
  const eventLoop = yield* EventLoop.start({ context, log, handlers: shared.longHandlers })
  const gauges = yield* BusGauges.start({ broker, cache, callers: publishing.limit, settling: settling.limit })
  const hooks = yield* CurrentAround
  const names = (yield* CurrentNames) ?? new SubscriberNames()
  const subscriptions = Subscriptions.make({ shared, known, names, hooks, onStart: gauges.subscriber })
  const watch = yield* WatchStream.make({ store: cache, subscribe: subscriptions.startEphemeral, log })
  const drain = yield* BusDrain.make({ drainClock, publishing, settling, subscriptions: subscriptions.all, log })
  // Runs before the connections of the broker close: what is in flight gets its answer.
  yield* Effect.addFinalizer(() => drain)
  const within = Surround.publisher(publisher, hooks, publisher.newId)
  const recurrences = Recurrences.make({ ...shared, names, publish: within.publish, newId: publisher.newId })
  const bus = EventBus.of({
    ...(yield* calls(broker, publisher, within, subscriptions)),
    recurring: recurrences.start,
    subscribe: subscriptions.start,
    subscribeEphemeral: subscriptions.startEphemeral,
    stream: LiveStream.make(subscriptions.startEphemeral),
    watch,
    failures: failures.stream,
    tree: treeOf(source, broker, publishing.limit, settling.limit, subscriptions),
    drain
  })
  const internals = BusInternals.of({
    encoded: publisher.encoded,
    subscriptions: Effect.sync(subscriptions.all),
    probes: Effect.sync(() => [
      ...ofPorts,
      eventLoop,
      ...Context.get(context, CurrentProbes),
      gauges.probe,
      refusedCopies.probe,
      BusProbes.inFlightLimits(publishing.limit, settling.limit),
      ...recurrences.probes(),
      ...subscriptions.durable().map(BusProbes.subscriber)
    ])
  })
  return Context.make(EventBus, bus).pipe(Context.add(BusInternals, internals))
})

/** What is published and asked within the hooks; answers are sent without them. */
const calls = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  publisher: Publisher.Publisher & { readonly start: Publisher.Start },
  within: Publisher.Publisher,
  subscriptions: Subscriptions.Subscriptions
) {
  const reply = yield* Replier.make({ publish: publisher.start, start: subscriptions.startReplier })
  const start = within.publish === publisher.publish ? publisher.start : Publisher.startOf(within.publish)
  return { ...within, ...(yield* Requests.make({ broker, publish: start })), reply }
})

const widenBudget = (millis: number): Effect.Effect<void> =>
  Effect.map(CurrentShutdown, (shutdown) => {
    shutdown.budget = Math.max(shutdown.budget ?? 0, millis)
  })

const failuresOver = Effect.fnUntraced(function* ({ publish }: Publisher.Publisher) {
  const context = yield* Effect.context<never>()
  return yield* FailureFeed.make(
    (data) => Effect.ignore(publish(EventDeadLettered, data, { timeout: "5 seconds" })),
    Meter.series(Metrics.failuresDropped, context).update
  )
})

const leasesOver = (log: Log.Log) =>
  Effect.flatMap(Effect.serviceOption(ClaimStore), (claims) =>
    Option.isSome(claims) ? Leases.make(claims.value, log) : Effect.undefined
  )

/** Where processes share a store. */
const fleetMember = (
  { publishes = [] }: EventBus.Options,
  about: Omit<FleetMember.Process, "connection" | "publishes">,
  connection: FleetMember.Process["connection"]
) =>
  Effect.flatMap(Effect.serviceOption(Fleet), (fleet) =>
    Option.isSome(fleet) ? FleetMember.make(fleet.value, { ...about, connection, publishes }) : Effect.undefined
  )

const connectionOf = (broker: Broker["Service"], limit: InFlightLimit.InFlightLimit) => () => {
  const { _tag, since } = SubscriptionRef.getUnsafe(broker.status)
  return {
    status: _tag,
    since: new Date(since).toISOString(),
    inFlight: limit.inFlight(),
    waiting: limit.waiting()
  }
}

const checkedSource = (source: string): Effect.Effect<string> => {
  const fault = sourceFault(source)
  return fault === undefined
    ? Effect.succeed(source)
    : Effect.die(
        new EventDefinitionError({
          event: source,
          problem: fault,
          remedy: "Name the service in words of a-z, 0-9 and -"
        })
      )
}

/** One way to the broker, with its own in-flight limit: callers and the runtime's copies never wait for each other. */
const sending = Effect.fnUntraced(function* (broker: Broker["Service"], bounds: InFlightLimit.Bounds) {
  const resent = Meter.series(Metrics.resent, yield* Effect.context<never>())
  const limit = InFlightLimit.make(bounds)
  return { limit, outbox: yield* Outbox.make(broker, limit, resent.update) }
})

const placeOf = ({ features, namespace }: Broker["Service"]): BrokerIdentity => ({
  system: features.transport === "amqp" ? "rabbitmq" : "memory",
  namespace,
  server: features.server
})

const treeOf = (
  source: string,
  broker: Broker["Service"],
  publishing: InFlightLimit.InFlightLimit,
  settling: InFlightLimit.InFlightLimit,
  subscriptions: Subscriptions.Subscriptions
): Effect.Effect<EventBus.Tree> =>
  Effect.gen(function* () {
    return {
      source,
      namespace: broker.namespace,
      broker: yield* SubscriptionRef.get(broker.status),
      publishing: inFlightOf(publishing),
      settling: inFlightOf(settling),
      subscribers: yield* Effect.forEach(subscriptions.all(), (subscription) => subscription.tree)
    }
  })

const inFlightOf = (limit: InFlightLimit.InFlightLimit): EventBus.InFlight => ({
  inFlight: limit.inFlight(),
  bytes: limit.bytes(),
  waiting: limit.waiting()
})
