/**
 * One process with a bus on RabbitMQ and a Redis of its own behind a proxy, and two subscribers, one of them idempotent.
 * The tests break its Redis one after the other; the process is never restarted.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, References, Schema } from "effect"
import { DeadLetters } from "../../src/bus/deadletter/DeadLetters.ts"
import { EventCache } from "../../src/bus/read/EventCache.ts"
import type { CacheError } from "../../src/bus/port/CacheError.ts"
import * as Event from "../../src/event/Event.ts"
import { EventBus } from "../../src/app/EventBus.ts"
import type { LiveOptions } from "../../src/app/LiveOptions.ts"
import { Health } from "../../src/observe/Health.ts"
import type * as RedisCache from "../../src/redis/cache/RedisCache.ts"
import { makeLedger, type Ledger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { freshNamespace, rabbitUrl } from "../support/live.ts"
import { startProxy } from "../support/Proxy.ts"
import type { RedisNode } from "../support/RedisNode.ts"
import { node, open, until } from "./support.ts"

const Place = Schema.Struct({ n: Schema.Finite, k: Schema.String })

export const Moved = Event.make("ship.moved", {
  version: 1,
  data: Place,
  key: (data) => data.k,
  cache: { history: 1_000, perKey: true }
})

/** No subscriber handles it. */
export const Sunk = Event.make("ship.sunk", { version: 1, data: Place, key: (data) => data.k })

/** Only one subscriber handles it, which waits rather than handling it twice. */
export const Paid = Event.make("ship.paid", { version: 1, data: Place, key: (data) => data.k })

/** The user of the service. The tests use the default user, which no accident locks out. */
const user = ["--user", "svc", "on", ">pw", "~*", "&*", "+@all"]

const make = Effect.gen(function* () {
  const redis = yield* node({ args: [...user, "--enable-debug-command", "yes"] })
  const proxy = yield* proxyTo(redis)
  const namespace = freshNamespace()
  const live = yield* service({ namespace, redisUrl: `redis://svc:pw@127.0.0.1:${proxy.port}` })
  const plain = makeLedger()
  const once = makeLedger()
  yield* live.bus.subscribe("watch.plain", { events: [Moved], handler: plain.handler })
  yield* live.bus.subscribe("watch.once", { events: [Moved], idempotent: true, handler: once.handler })
  // Another process, which sees only what is in Redis.
  const other = yield* open(redis.url, { prefix: namespace, commandTimeout: "10 seconds" })
  return { ...live, redis, proxy, namespace, other, ledgers: [plain, once] }
})

export class ServiceOnRedis extends Context.Service<ServiceOnRedis, Effect.Success<typeof make>>()(
  "test/redis/ServiceOnRedis"
) {
  static readonly layer = Layer.effect(ServiceOnRedis, make)
}

export const proxyTo = ({ port }: Pick<RedisNode, "port">) =>
  Effect.acquireRelease(
    Effect.promise(() => startProxy(port)),
    (proxy) => Effect.promise(() => proxy.close())
  )

/** A process of its own, on the shared RabbitMQ unless `url` says otherwise. */
export const service = Effect.fnUntraced(function* (options: Partial<LiveOptions>) {
  const layer = EventBus.layerAmqp({ url: rabbitUrl(), source: "ship", drainTimeout: "5 seconds", ...options })
  const context = yield* Layer.build(Layer.provide(layer, Layer.succeed(References.MinimumLogLevel, "None" as const)))
  return {
    bus: Context.get(context, EventBus),
    cache: Context.get(context, EventCache),
    health: Context.get(context, Health),
    letters: Context.get(context, DeadLetters)
  }
})

export type Service = Effect.Success<ReturnType<typeof service>>

/** Publishes them one after the other; each is confirmed and routed. */
export const publish = Effect.fnUntraced(function* (
  { bus }: Pick<Service, "bus">,
  k: string,
  from: number,
  to: number
) {
  for (let n = from; n < to; n++) {
    const id = `${k}-${String(n).padStart(4, "0")}`
    assert.deepStrictEqual(yield* bus.publish(Moved, { n, k }, { id }), { id, routed: true })
  }
})

/** Both subscribers handled the events of this key, each once. */
export const handled = (ledgers: ReadonlyArray<Ledger>, k: string, count: number) =>
  Effect.gen(function* () {
    const numbers = ({ entries }: Ledger) =>
      entries.filter(({ event }) => event.data.k === k).map(({ event }) => event.data.n)
    for (const ledger of ledgers) {
      yield* until(
        `${count} events of ${k} are handled`,
        Effect.sync(() => numbers(ledger).length >= count)
      )
      assert.deepStrictEqual(
        numbers(ledger).toSorted((a, b) => a - b),
        Array.from({ length: count }, (_, n) => n)
      )
    }
  })

/** The health of the cache, and the overall health. */
export const look = Effect.fnUntraced(function* ({ health }: Pick<Service, "health">) {
  const { checks, status } = yield* health.report
  const cache = checks.find(({ name }) => name === "cache")
  return { overall: status, cache: cache ?? assert.fail("the cache is not looked at") }
})

/** Waits until the health is as expected, and returns it. */
export const awaitHealth = Effect.fnUntraced(function* (
  service: Service,
  what: string,
  fits: (cache: Health.Check) => boolean
) {
  let said = ""
  yield* until(
    what,
    Effect.map(look(service), ({ cache }) => {
      said = `${cache.status}: ${cache.detail}`
      return fits(cache)
    })
  ).pipe(Effect.catchDefect(() => Effect.die(new Error(`never: ${what}; it says ${said}`))))
  return yield* look(service)
})

export const isWritten = ({ detail, status }: Health.Check): boolean =>
  status === "up" && detail.includes("; 0 events wait to be written")

/** How a read failed: `Unavailable`, or the code of the refusal. */
export const codeOf = ({ reason }: CacheError): string => (reason._tag === "Refused" ? reason.code : reason._tag)

/** The ids of a key that Redis has, oldest first. */
export const idsOf = Effect.fnUntraced(function* (other: RedisCache.RedisCacheStore, k: string) {
  const bodies = yield* other.history(Moved.name, { key: k, limit: 1_000 })
  return bodies.map(({ id }) => id).reverse()
})

export const ids = (k: string, from: number, to: number): ReadonlyArray<string> =>
  Array.from({ length: to - from }, (_, i) => `${k}-${String(from + i).padStart(4, "0")}`)
