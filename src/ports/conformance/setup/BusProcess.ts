/** One process of a service as a case sees it: a bus over an adapter, started and stopped by the case. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { BusInternals } from "../../../bus/BusInternals.ts"
import { DeadLetters } from "../../../bus/deadletter/DeadLetters.ts"
import { EventBus, layerWithInternals } from "../../../bus/EventBus.ts"
import { kinds } from "../../../bus/EventBusOptionKinds.ts"
import { Broker } from "../../../bus/port/Broker.ts"
import type { BrokerError } from "../../../bus/port/BrokerError.ts"
import { CacheStore } from "../../../bus/port/CacheStore.ts"
import { EventCache } from "../../../bus/read/EventCache.ts"
import type { SubscribeError } from "../../../bus/subscriber/SubscribeError.ts"
import type { AllOptions, BatchedOptions, SubscriberOptions } from "../../../bus/subscriber/SubscriberOptions.ts"
import type { Subscription } from "../../../bus/subscriber/Subscription.ts"
import * as OptionInvalid from "../../../event/options/OptionInvalid.ts"
import type * as Event from "../../../event/Event.ts"

export type Services = EventBus | BusInternals | EventCache | CacheStore | DeadLetters | Broker
export type Connect = (options?: EventBus.Options) => Layer.Layer<Services, BrokerError>

const quiet = Layer.succeed(References.MinimumLogLevel, "None" as const)

/** The bus of one process over the ports of an adapter. */
export const processOver = (
  ports: Layer.Layer<Broker | CacheStore, BrokerError>,
  options: EventBus.Options = {}
): Layer.Layer<Services, BrokerError> => {
  OptionInvalid.check("busProcess", options, kinds)
  return Layer.mergeAll(
    layerWithInternals({ source: "suite", drainTimeout: "10 seconds", ...options }),
    // Layers are shared with those that are built already, whatever they were built over.
    Layer.fresh(DeadLetters.layer),
    Layer.fresh(EventCache.layer)
  ).pipe(Layer.provideMerge(ports), Layer.provide(quiet))
}

type Started = Effect.Effect<Subscription, SubscribeError, Scope.Scope>

export interface Process {
  readonly bus: EventBus["Service"]
  readonly internals: BusInternals["Service"]
  readonly letters: DeadLetters["Service"]
  readonly broker: Broker["Service"]
  readonly cache: EventCache["Service"]
  readonly store: CacheStore["Service"]
  /** Subscribes for as long as the process lives. */
  readonly subscribe: {
    <E extends Event.Any, Err>(name: string, options: BatchedOptions<E, Err, Scope.Scope>): Started
    <E extends Event.Any, Err>(name: string, options: AllOptions<E, Err, Scope.Scope>): Started
  }
  /** SIGTERM: drains, then closes. */
  readonly stop: Effect.Effect<void>
}

/** Starts a process that ends with the case, or when it is stopped. */
export const start = Effect.fnUntraced(function* (layer: Layer.Layer<Services, BrokerError>) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(layer, scope)
  const bus = Context.get(context, EventBus)
  const subscribe: Process["subscribe"] = <E extends Event.Any, Err>(
    name: string,
    options: AllOptions<E, Err, Scope.Scope>
    // With an inbox, the layer of the process has the database.
  ): Started => bus.subscribe(name, options as SubscriberOptions<E, Err, Scope.Scope>).pipe(Scope.provide(scope))
  return {
    bus,
    internals: Context.get(context, BusInternals),
    letters: Context.get(context, DeadLetters),
    broker: Context.get(context, Broker),
    cache: Context.get(context, EventCache),
    store: Context.get(context, CacheStore),
    subscribe,
    stop: Scope.close(scope, Exit.void)
  } satisfies Process
})

/** The services of the process that all cases share. */
export const shared = Effect.gen(function* () {
  return {
    bus: yield* EventBus,
    letters: yield* DeadLetters,
    broker: yield* Broker,
    cache: yield* EventCache,
    store: yield* CacheStore
  }
})
