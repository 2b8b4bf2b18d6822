/** What one process of a run is made of: the real bus over an observed broker, a claim store and a cache that fail by chance. */
import { Context, Duration, Effect, Layer, References } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as DeadLettersLive from "../../src/bus/deadletter/DeadLettersLive.ts"
import * as EventBusMake from "../../src/bus/EventBusMake.ts"
import { Broker } from "../../src/bus/port/Broker.ts"
import { CacheStore } from "../../src/bus/port/CacheStore.ts"
import { ClaimStore } from "../../src/bus/port/ClaimStore.ts"
import { EventCache } from "../../src/bus/read/EventCache.ts"
import * as CacheFaults from "../../src/memory/CacheFaults.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import type { MemoryServer } from "../../src/memory/MemoryServer.ts"
import * as RandomSource from "../support/RandomSource.ts"
import type { FaultyClaims } from "./FaultyClaims.ts"
import type { Bugs, Life } from "./Life.ts"
import type { Observations } from "./Observations.ts"
import * as ObservedBroker from "./ObservedBroker.ts"
import type { Setup } from "./Setup.ts"

/** The stores of breakers and rate limits. */
export type FleetStores = CircuitBreaker.CircuitBreakerStore | RateLimiter.RateLimiterStore

export interface Options {
  readonly setup: Setup
  readonly bugs: Bugs
  readonly observed: Observations
  readonly server: Effect.Success<ReturnType<typeof MemoryServer.makeWith>>
  readonly claims: FaultyClaims
  readonly stores: Context.Context<FleetStores>
}

const silent = Layer.succeed(References.MinimumLogLevel, "None" as const)

/** The bus of one process, and its ports. */
export const layerOf = (options: Options, life: Life) => {
  const { bugs, claims, observed, server, setup } = options
  const bounds = {
    inFlight: setup.inFlight,
    prefetchOf: (name: string) => setup.subscribers.find((subscriber) => subscriber.name === name)?.prefetch ?? 250
  }
  const port = Layer.effect(
    Broker,
    Effect.map(MemoryBroker.make(server, { namespace: "sim", name: life.name }), (broker) => {
      const watched = ObservedBroker.observe(broker, observed, life, bounds)
      return Broker.of(bugs.port === undefined ? watched : bugs.port(watched))
    })
  )
  const store = claims.of(life)
  const cache = Effect.map(MemoryCache.make(), (cache) =>
    setup.cache === 0
      ? cache
      : CacheFaults.seeded(cache, { seed: RandomSource.hash(`${setup.seed}/cache`), rate: setup.cache })
  )
  return Layer.mergeAll(
    EventBusMake.layerWith({
      source: "sim",
      publishTimeout: setup.publishTimeout,
      inFlight: { count: setup.inFlight },
      drainTimeout: setup.drain
    }),
    DeadLettersLive.layer,
    EventCache.layer
  ).pipe(
    Layer.provideMerge(Layer.merge(port, Layer.effect(CacheStore, cache))),
    Layer.provide(Layer.succeed(ClaimStore, ClaimStore.of(bugs.claims?.(store) ?? store))),
    Layer.provide(silent)
  )
}

/** The stores of breakers and rate limits as one process has them: a dead process changes nothing in them. */
export const sharedBy = (
  options: Pick<Options, "bugs" | "setup" | "stores">,
  life: Life
): Context.Context<FleetStores> | Context.Context<never> => {
  const { bugs, setup, stores } = options
  if (!setup.fleet || bugs.isAlone === true) return Context.empty()
  const store = Context.get(stores, CircuitBreaker.CircuitBreakerStore)
  const refused = (key: string) =>
    new CircuitBreaker.CircuitBreakerError({
      reason: new CircuitBreaker.CircuitOpen({ key, retryAfter: Duration.seconds(1) })
    })
  return Context.add(
    stores,
    CircuitBreaker.CircuitBreakerStore,
    CircuitBreaker.CircuitBreakerStore.of({
      ...store,
      admit: (key) => Effect.suspend(() => (life.alive ? store.admit(key) : Effect.fail(refused(key)))),
      // The probe of a dead process ends, as its lease would.
      record: (result) => Effect.suspend(() => store.record(life.alive ? result : { ...result, outcome: "Ignored" }))
    })
  )
}
