/** The running bus as operations reach it: each part is connected when the first operation needs it, once. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { DeadLetters } from "../bus/deadletter/DeadLetters.ts"
import { EventBus } from "../bus/EventBus.ts"
import { Broker } from "../bus/port/Broker.ts"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import { CacheStore } from "../bus/port/CacheStore.ts"
import type { Fleet } from "../bus/port/Fleet.ts"

export interface Bus {
  readonly broker: Broker["Service"]
  readonly letters: DeadLetters["Service"]
}

export type OpenBus = Effect.Effect<Bus, BrokerError>

/** The store of last known events; undefined where the settings name none that outlives a process. */
export type OpenCache = Effect.Effect<CacheStore["Service"] | undefined, BrokerError>

/** Where processes show themselves; undefined where the settings name no store that they share. */
export type OpenFleet = Effect.Effect<Fleet["Service"] | undefined, BrokerError>

/** Remembers nothing. */
const noCache: CacheStore["Service"] = CacheStore.of({
  write: () => {},
  last: () => Effect.succeed(Option.none()),
  lastMany: (_, keys) => Effect.succeed(keys.map(() => undefined)),
  history: () => Effect.succeed([]),
  probe: Effect.succeed({ status: "up", detail: "nothing is remembered" })
})

/** A bus that publishes as the service does, over this broker and this store. It drains when the scope ends. */
export const publishingBus = (
  broker: Broker["Service"],
  cache: CacheStore["Service"] | undefined,
  source: string
): Effect.Effect<EventBus["Service"], never, Scope.Scope> =>
  Effect.map(
    Layer.build(
      // Fresh: another operation of this process may have made one with another source.
      Layer.fresh(EventBus.layerWith({ source })).pipe(
        Layer.provide(Layer.merge(Layer.succeed(Broker, broker), Layer.succeed(CacheStore, cache ?? noCache)))
      )
    ),
    (context) => Context.get(context, EventBus)
  )
