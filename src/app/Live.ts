/**
 * The live layers of the bus: ports and services wired together. The layers are interchangeable; no other line
 * of a service changes. Clients are loaded when a layer is built, so that importing the door loads none of them.
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as BrokerError from "../bus/port/BrokerError.ts"
import { type Broker } from "../bus/port/Broker.ts"
import { BrokerError as Failure } from "../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../bus/port/BrokerReason.ts"
import { DeadLetters } from "../bus/deadletter/DeadLetters.ts"
import { BusInternals } from "../bus/BusInternals.ts"
import { type EventBus, layerWithInternals } from "../bus/EventBus.ts"
import { EventCache } from "../bus/read/EventCache.ts"
import type { CacheStore } from "../bus/port/CacheStore.ts"
import * as SettingsFault from "../bus/port/SettingsFault.ts"
import type { ClaimStore } from "../bus/port/ClaimStore.ts"
import { checkRuntime } from "../event/DuplicateEffect.ts"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as SchemaModule from "../event/SchemaModule.ts"
import { Health } from "../observe/Health.ts"
import type { Operations } from "../operations/Operations.ts"
import type { LiveOptions, MemoryOptions } from "./LiveOptions.ts"
import { liveKinds, memoryKinds } from "./OptionKinds.ts"
import { redisClient } from "./RedisConnection.ts"
import type { Stores } from "./RedisStores.ts"

/** The services that each of the layers provides. */
export type Services = EventBus | EventCache | DeadLetters | Health | Stores

const services = (
  options: EventBus.Options
): Layer.Layer<EventBus | DeadLetters | Health | EventCache, never, Broker | CacheStore> =>
  Layer.effect(
    Health,
    Effect.flatMap(BusInternals, ({ probes }) => Health.watched(probes))
  ).pipe(
    Layer.provideMerge(layerWithInternals(options)),
    // Fresh, since a layer that another bus of this program has built would be shared with it, broker and all.
    Layer.merge(Layer.fresh(Layer.merge(DeadLetters.layer, EventCache.layer)))
  )

const wire = (
  options: EventBus.Options,
  broker: Layer.Layer<Broker, Failure>,
  memory: Memory
): Layer.Layer<Services, Failure> =>
  services(options).pipe(
    Layer.provide(broker),
    // Beneath the bus: handlers may use the cache and the stores until it has drained.
    Layer.provide(Layer.mergeAll(memory.cache, memory.claims, memory.fleet)),
    Layer.provideMerge(memory.stores)
  )

/** The stores beside RabbitMQ: in Redis, or in this process. */
interface Memory {
  readonly cache: Layer.Layer<CacheStore, Failure>
  readonly claims: Layer.Layer<ClaimStore, Failure>
  /** Provides a `Fleet` where other processes share it. */
  readonly fleet: Layer.Layer<never, Failure>
  readonly stores: Layer.Layer<Stores, Failure>
}

/** The embedded bus: broker and stores live in this process and end with it. */
export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<Services> =>
  Layer.unwrap(
    Effect.andThen(
      checkRuntime,
      Effect.promise(async () => {
        OptionInvalid.check("EventBus.layerMemory", options, memoryKinds)
        preload()
        const { MemoryBroker, MemoryCache, MemoryClaims, MemoryStores } = await import("../memory/index.ts")
        const { namespace = "eduflow" } = options
        return services(options).pipe(
          Layer.provide(Layer.mergeAll(MemoryBroker.layer({ namespace }), MemoryCache.layer, MemoryClaims.layer)),
          Layer.provideMerge(MemoryStores.layer)
        )
      })
    )
  )

/**
 * The embedded bus with the operations on it, which no other process could do. Its memory has a fleet of one process; with
 * `redisUrl` it is in Redis, for others to see.
 */
export const layerOperated = (
  options: Omit<LiveOptions, "url" | "servers" | "signing">
): Layer.Layer<Services | Operations, BrokerError.BrokerError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      yield* checkRuntime
      const { namespace = "eduflow", source = "service", ...rest } = options
      preload()
      const memory = yield* memoryOf({ ...options, url: "memory://" }, namespace)
      const [{ MemoryBroker }, MemoryFleet, own] = yield* Effect.promise(() =>
        Promise.all([
          import("../memory/index.ts"),
          import("../memory/fleet/MemoryFleet.ts"),
          import("./OwnOperations.ts")
        ])
      )
      const fleet = options.redisUrl === undefined ? Layer.fresh(MemoryFleet.layer) : memory.fleet
      return Layer.merge(
        services({ ...rest, source }),
        Layer.provide(Layer.fresh(own.layer), Layer.fresh(DeadLetters.layer))
      ).pipe(
        Layer.provide(MemoryBroker.layer({ namespace })),
        Layer.provide(Layer.mergeAll(memory.cache, memory.claims, fleet)),
        Layer.provideMerge(memory.stores)
      )
    })
  )

/** RabbitMQ and Redis by options; the address `memory://` is the embedded bus. */
export const layerAmqp = (options: LiveOptions): Layer.Layer<Services, BrokerError.BrokerError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      yield* checkRuntime
      const wrong = SettingsFault.of(options, liveKinds)
      if (wrong !== undefined) return yield* wrong
      // What the stores need goes no further: it has secrets.
      const { redisTls: _tls, redisUrl: _address, ...others } = options
      const { namespace = "eduflow", servers, signing, source = "service", url, ...rest } = others
      const address: unknown = Redacted.isRedacted(url) ? Redacted.value(url) : url
      // Callers without types may leave it out.
      if (servers === undefined && (typeof address !== "string" || address === "")) return yield* withoutUrl("url")
      const memory = yield* memoryOf(options, namespace)
      const text = String(address).trim().toLowerCase()
      if (servers === undefined && text.startsWith("memory:")) {
        if (text !== "memory://") {
          return yield* new Failure({
            reason: new SettingsInvalid({
              setting: "url",
              problem: "memory:// takes no host or path",
              remedy: "Write exactly memory://"
            })
          })
        }
        preload()
        const { MemoryBroker } = yield* Effect.promise(() => import("../memory/index.ts"))
        return wire({ ...rest, source }, signedBy(signing, MemoryBroker.layer({ namespace })), memory)
      }
      const { AmqpBroker } = yield* Effect.promise(() => import("../amqp/index.ts"))
      const { CurrentNames, SubscriberNames } = yield* Effect.promise(
        () => import("../bus/subscriber/SubscriberNames.ts")
      )
      const names = new SubscriberNames(`${source}\n${AmqpBroker.placeOf(servers ?? url, namespace)}`)
      return wire(
        { ...rest, source },
        signedBy(signing, AmqpBroker.layer({ ...rest, namespace, source, servers: servers ?? url }, preload)),
        memory
      ).pipe(Layer.provide(Layer.succeed(CurrentNames, names)))
    })
  )

const signedBy = (
  signing: LiveOptions["signing"],
  broker: Layer.Layer<Broker, Failure>
): Layer.Layer<Broker, Failure> =>
  signing === undefined
    ? broker
    : Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("../bus/send/SignedBroker.ts")),
          (signed) => Layer.provide(signed.layer(signing), broker)
        )
      )

/** Loads the parts of the bus while others load or connect. A part that does not load fails where it is used. */
const preload = (): void => {
  for (const part of [
    import("../bus/EventBusMake.ts"),
    import("../bus/deadletter/DeadLettersLive.ts"),
    import("../bus/read/CacheReader.ts"),
    SchemaModule.load()
  ])
    part.catch(() => {})
}

/** What a bus remembers. Each layer is fresh: one that another bus of this program has built would be shared, namespace and all. */
const memoryOf = Effect.fnUntraced(function* (options: LiveOptions, namespace: string) {
  const { allowPlaintext, redisTimeout: timeout, redisTls: tls, redisUrl: url, stateNamespace } = options
  if (url === undefined) {
    const { MemoryCache, MemoryClaims, MemoryStores } = yield* Effect.promise(() => import("../memory/Remembering.ts"))
    return {
      cache: Layer.fresh(MemoryCache.layer),
      claims: Layer.fresh(MemoryClaims.layer),
      fleet: Layer.empty,
      stores: Layer.fresh(MemoryStores.layer)
    } satisfies Memory
  }
  const { RedisCache, RedisClaims, RedisClient, RedisFleet, Stores, client } = yield* redisClient(
    {
      url,
      namespace,
      ...(allowPlaintext !== undefined && { allowPlaintext }),
      ...(timeout !== undefined && { timeout }),
      ...(tls !== undefined && { tls })
    },
    stateNamespace
  )
  const own = Layer.provide(Layer.fresh(RedisClient.ofService), client)
  return {
    cache: Layer.provide(Layer.fresh(RedisCache.layerOnClient), client),
    claims: Layer.provide(Layer.fresh(RedisClaims.layer), own),
    fleet: Layer.provide(Layer.fresh(RedisFleet.layer), client),
    stores: Layer.provide(Layer.fresh(Stores.layer), own)
  } satisfies Memory
})

/**
 * The bus on RabbitMQ and Redis with the settings of the environment: `EVENTBUS_URL` and the other variables of
 * the table of settings. The address `memory://` is the embedded bus.
 */
export const EventBusLive: Layer.Layer<Services, BrokerError.BrokerError | Config.ConfigError> = Layer.unwrap(
  Effect.gen(function* () {
    const { config, givenUrl, settings } = yield* Effect.promise(() => import("./Config.ts"))
    const url = yield* givenUrl
    if (Option.isNone(url) || Redacted.value(url.value).trim() === "") return yield* withoutUrl(settings.url.name)
    return layerAmqp(yield* config)
  })
)

/** The error of a bus without an address. */
const withoutUrl = (setting: string): Failure =>
  new Failure({
    reason: new SettingsInvalid({
      setting,
      problem: "it is not set",
      remedy:
        "Set it to memory:// for the embedded bus, or to amqp://user:password@host/vhost (amqps:// with TLS) for RabbitMQ"
    })
  })
