/**
 * Where the bus becomes live: ports and services wired into layers. The three layers are
 * interchangeable; no other line of a service changes. Clients are loaded when a layer is built, so
 * that importing the door costs none of them.
 */
import type { Config } from "effect"
import { type Duration, Effect, Layer, Redacted } from "effect"
import type * as BrokerError from "../bus/BrokerError.ts"
import { type Broker } from "../bus/Broker.ts"
import { BrokerError as Failure, SettingsInvalid } from "../bus/BrokerError.ts"
import { DeadLetters } from "../bus/DeadLetters.ts"
import { type BusOptions, EventBus } from "../bus/EventBus.ts"
import type { EventCache } from "../bus/EventCache.ts"
import type { Marks } from "../bus/Marks.ts"
import { Health } from "../observe/Health.ts"
import type { AmqpOptions } from "../amqp/AmqpOptions.ts"
import { config } from "./Config.ts"
import { redisClient, type Stores } from "./RedisLive.ts"

export interface LiveOptions extends BusOptions, Omit<AmqpOptions, "servers" | "source" | "namespace"> {
  /** `memory://`, or addresses of RabbitMQ separated by commas. */
  readonly url: string | Redacted.Redacted<string>
  /** Instead of `url`, where a password does not fit into one. */
  readonly servers?: AmqpOptions["servers"]
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` over TLS; without it the process remembers by itself. */
  readonly redisUrl?: string | Redacted.Redacted<string>
  readonly namespace?: string
  /** Longest time of one Redis command. Default 150 ms. */
  readonly redisTimeout?: Duration.Input
}

/** What every wiring provides. */
export type Services = EventBus | EventCache | DeadLetters | Health | Stores

const services = (options: BusOptions): Layer.Layer<EventBus | DeadLetters | Health, never, Broker | EventCache> =>
  Layer.effect(
    Health,
    Effect.flatMap(EventBus, (bus) => Health.watched(bus.probes))
  ).pipe(Layer.provideMerge(EventBus.layerWith(options)), Layer.merge(DeadLetters.layer))

const wire = (
  options: BusOptions,
  broker: Layer.Layer<Broker, Failure>,
  memory: Memory
): Layer.Layer<Services, Failure> =>
  services(options).pipe(
    Layer.provide(broker),
    Layer.provide(memory.marks),
    // Beneath the bus: its handlers may use them until it has drained.
    Layer.provideMerge(Layer.merge(memory.cache, memory.stores))
  )

/** What is remembered besides RabbitMQ: in Redis, or in this process. */
interface Memory {
  readonly cache: Layer.Layer<EventCache, Failure>
  readonly marks: Layer.Layer<Marks, Failure>
  readonly stores: Layer.Layer<Stores, Failure>
}

/** Nothing to install: broker and cache live in this process, and end with it. */
export const eventBusMemory = (options: BusOptions & { readonly namespace?: string } = {}): Layer.Layer<Services> =>
  Layer.unwrap(
    Effect.promise(async () => {
      const { MemoryBroker, MemoryCache, MemoryMarks, MemoryStores } = await import("../memory/index.ts")
      const { namespace = "eduflow" } = options
      return services(options).pipe(
        Layer.provide(Layer.merge(MemoryBroker.layer({ namespace }), MemoryMarks.layer)),
        Layer.provideMerge(Layer.merge(MemoryCache.layer, MemoryStores.layer))
      )
    })
  )

export const EventBusMemory: Layer.Layer<Services> = eventBusMemory()

/** RabbitMQ and Redis by options; `memory://` is the embedded bus. */
export const eventBusLive = (options: LiveOptions): Layer.Layer<Services, BrokerError.BrokerError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { namespace = "eduflow", redisTimeout, redisUrl, servers, source = "service", url, ...rest } = options
      const address = Redacted.isRedacted(url) ? Redacted.value(url) : url
      const memory = yield* memoryOf(redisUrl, redisTimeout, namespace)
      if (servers === undefined && address.startsWith("memory:")) {
        if (address !== "memory://") {
          return yield* new Failure({
            reason: new SettingsInvalid({
              setting: "url",
              problem: "memory:// takes no host or path",
              remedy: "Write exactly memory://"
            })
          })
        }
        const { MemoryBroker } = yield* Effect.promise(() => import("../memory/index.ts"))
        return wire({ ...rest, source }, MemoryBroker.layer({ namespace }), memory)
      }
      const { AmqpBroker } = yield* Effect.promise(() => import("../amqp/index.ts"))
      return wire(
        { ...rest, source },
        AmqpBroker.layer({ ...rest, namespace, source, servers: servers ?? url }, preload),
        memory
      )
    })
  )

/** What the bus is made of, before it is asked for; who asks for it is told what is wrong with it. */
const preload = (): void => {
  for (const part of [import("../bus/Assembly.ts"), import("../bus/Letters.ts")]) part.catch(() => {})
}

const memoryOf = Effect.fnUntraced(function* (
  url: LiveOptions["redisUrl"],
  timeout: LiveOptions["redisTimeout"],
  namespace: string
) {
  if (url === undefined) {
    const { MemoryCache, MemoryMarks, MemoryStores } = yield* Effect.promise(() => import("../memory/Remembering.ts"))
    return { cache: MemoryCache.layer, marks: MemoryMarks.layer, stores: MemoryStores.layer } satisfies Memory
  }
  const options = { url, namespace, ...(timeout !== undefined && { timeout }) }
  const { RedisCache, RedisMarks, Stores, client } = yield* redisClient(options)
  return {
    cache: Layer.provide(RedisCache.layerOnClient, client),
    marks: Layer.provide(RedisMarks.layer, client),
    stores: Layer.provide(Stores.layer, client)
  } satisfies Memory
})

/** RabbitMQ and Redis by the environment: see the table of settings in the README. */
export const EventBusLive: Layer.Layer<Services, BrokerError.BrokerError | Config.ConfigError> = Layer.unwrap(
  Effect.map(config, eventBusLive)
)
