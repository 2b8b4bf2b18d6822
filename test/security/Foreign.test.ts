/**
 * Errors of the clients of RabbitMQ and Redis stay inside the adapters: every error that leaves them is ours down to
 * its last property, names the remedy, and can be encoded as JSON. Real servers provoke the errors.
 */
import { assert, it } from "@effect/vitest"
import { connect } from "amqplib"
import { type Duration, Effect, Exit, Redacted, Schema, Scope } from "effect"
import { inspect } from "node:util"
import { AmqpBroker } from "../../src/amqp/index.ts"
import { BrokerError } from "../../src/bus/port/BrokerError.ts"
import { DeadLettersError } from "../../src/bus/deadletter/DeadLettersError.ts"
import { PublishError } from "../../src/bus/send/PublishError.ts"
import { SubscribeError } from "../../src/bus/subscriber/SubscribeError.ts"
import { CacheError } from "../../src/bus/port/CacheError.ts"
import { CacheUnavailable } from "../../src/bus/port/CacheReason.ts"
import * as Event from "../../src/event/Event.ts"
import * as RedisCache from "../../src/redis/cache/RedisCache.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { service } from "../redis/ServiceOnRedis.ts"
import { cli, node, until } from "../redis/support.ts"

const password = "c4n4ry-pw"
const ours = [BrokerError, PublishError, SubscribeError, DeadLettersError, CacheError]

/**
 * The places in an error with foreign objects: an Error of another class, or an object of a class that is none of our
 * reasons. Looks at every own property, hidden ones too.
 */
const foreign = (value: unknown, path = "error", seen = new Set<unknown>()): ReadonlyArray<string> => {
  if (typeof value !== "object" || value === null || seen.has(value)) return []
  seen.add(value)
  const mine = ours.some((kind) => value instanceof kind)
  const found: Array<string> = []
  if (value instanceof Error && !mine) found.push(`${path}: ${value.name}`)
  const tagged = "_tag" in value && Object.hasOwn(value, "_tag")
  const plain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value))
  if (!mine && !tagged && !plain) found.push(`${path}: a ${value.constructor?.name}`)
  for (const key of Reflect.ownKeys(value))
    found.push(...foreign(Reflect.get(value, key), `${path}.${String(key)}`, seen))
  return found
}

type Any = BrokerError | PublishError | SubscribeError | DeadLettersError | CacheError

const check = (error: Any, tag: string, isRetryable: boolean, remedy: RegExp): void => {
  assert.strictEqual(error.reason._tag, tag, error.message)
  assert.strictEqual(error.isRetryable, isRetryable, error.message)
  assert.match(error.message, remedy)
  assert.isAtMost(error.message.length, 1024)
  assert.deepStrictEqual(foreign(error), [])
  const shown = `${inspect(error, { depth: 20, showHidden: true, getters: true })}${JSON.stringify(error)}${error.stack}`
  assert.notInclude(shown, password)
  const kind = ours.find((kind) => error instanceof kind) ?? assert.fail("not one of ours")
  const schema: Schema.Codec<unknown, unknown> = kind
  const wire: unknown = JSON.parse(JSON.stringify(Schema.encodeUnknownSync(schema)(error)))
  assert.strictEqual(String(Schema.decodeUnknownSync(schema)(wire)), String(error))
}

const Told = Event.make("errors.told", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

describeLive(
  "errors of real servers",
  () => {
    const open = (servers: string, connectTimeout: Duration.Input = "10 seconds") =>
      Effect.flip(Effect.scoped(AmqpBroker.make({ servers, namespace: freshNamespace(), source: "t", connectTimeout })))
    const at = (change: (url: URL) => unknown): string => {
      const url = new URL(rabbitUrl())
      change(url)
      return url.href
    }

    it.live("O4, N10, P2: RabbitMQ refuses a connection", () =>
      Effect.gen(function* () {
        const nobody = yield* Effect.promise(freePort)
        const refusals = [
          [at((url) => (url.password = password)), "Authentication", false, /check the user name and the password/],
          [at((url) => (url.port = String(nobody))), "Connection", true, /ECONNREFUSED.*check that/],
          [at((url) => (url.pathname = "/nowhere")), "Vhost", false, /"nowhere".*add_vhost/],
          [at((url) => (url.protocol = "amqps:")), "Tls", false, /use amqp:\/\/ or the TLS port/],
          [`http://u:${password}@h`, "Settings", false, /amqp:\/\//]
        ] as const
        yield* Effect.forEach(
          refusals,
          ([servers, tag, isRetryable, remedy]) =>
            // A missing server is dialled until the deadline.
            Effect.map(open(servers, tag === "Connection" ? "3 seconds" : undefined), (error) =>
              check(error, tag, isRetryable, remedy)
            ),
          { concurrency: "unbounded" }
        )
      })
    )

    it.live("O4, N10, P2, P16: RabbitMQ refuses an operation of the bus", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const scope = yield* Scope.make()
        const { bus, letters } = yield* service({ namespace }).pipe(Scope.provide(scope))
        const connection = yield* Effect.acquireRelease(
          Effect.promise(() => connect(rabbitUrl())),
          (connection) => Effect.promise(() => connection.close())
        )
        const queue = `${namespace}.sub.other`
        yield* Effect.promise(async () => {
          const channel = await connection.createChannel()
          await channel.assertQueue(queue, {
            durable: true,
            arguments: { "x-queue-type": "quorum", "x-delivery-limit": 3 }
          })
        })
        const subscribing = bus.subscribe("other", { events: [Told], handler: () => Effect.void })
        check(
          yield* Effect.flip(Effect.scoped(subscribing)),
          "TopologyMismatch",
          false,
          /sub\.other.*(x-dead-letter|x-delivery-limit|x-overflow).*use a new name, or delete it/
        )
        check(
          yield* Effect.flip(bus.publish(Told, { n: 1 }, { mandatory: true })),
          "Unroutable",
          false,
          /register the subscriber/
        )
        const bad: { readonly n: number } = { n: Number.NaN }
        check(yield* Effect.flip(bus.publish(Told, bad)), "Invalid", false, /data\.n.*nothing was sent/)
        check(yield* Effect.flip(letters.count("no.such")), "TopologyMissing", false, /declare it/)
        yield* Scope.close(scope, Exit.void)
        check(
          yield* Effect.flip(bus.publish(Told, { n: 1 })),
          "Unavailable",
          false,
          /after its scope ended.*nothing was sent/
        )
      })
    )

    it.live("D1, D2, D3, O4: Redis fails a read", () =>
      Effect.gen(function* () {
        const redis = yield* node({ password })
        const last = Effect.fnUntraced(function* (url: string, tag: string, isRetryable: boolean, remedy: RegExp) {
          const store = yield* RedisCache.make({ url: Redacted.make(url) })
          // The connection may be lost before the reason arrives.
          yield* until(
            `${url}: ${tag}`,
            Effect.map(Effect.flip(store.last("a.b", "k")), (error) => remedy.test(error.message))
          )
          check(yield* Effect.flip(store.last("a.b", "k")), tag, isRetryable, remedy)
          return store
        })
        const nobody = yield* Effect.promise(freePort)
        yield* last(`redis://:${password}@127.0.0.1:${nobody}`, "Unavailable", true, /ECONNREFUSED.*go on without it/)
        yield* last(
          `redis://:${password}x@127.0.0.1:${redis.port}`,
          "Refused",
          false,
          /WRONGPASS.*check user name and password/
        )
        yield* last(`redis://127.0.0.1:${redis.port}`, "Refused", false, /NOAUTH.*put a password into the Redis url/)
        yield* cli(redis, "ACL", "SETUSER", "weak", "on", `>${password}`, "~*", "+ping")
        yield* last(`redis://weak:${password}@127.0.0.1:${redis.port}`, "Refused", false, /NOPERM.*ACL SETUSER/)
        yield* cli(redis, "LPUSH", "eduflow:{a.b/k}:last", password)
        yield* last(redis.url, "Refused", false, /WRONGTYPE.*log of Redis/)
        yield* cli(redis, "DEL", "eduflow:{a.b/k}:last")
        yield* cli(redis, "SET", "eduflow:{a.b/k}:last", password)
        const store = yield* last(redis.url, "Corrupt", false, /a\.b.*not written by this library/)
        yield* Effect.promise(() => redis.suspend())
        check(yield* Effect.flip(store.last("a.b", "k")), "Unavailable", true, /did not answer within 150 ms/)
      })
    )

    it("the search finds foreign errors, in hidden properties, too", () => {
      for (const hidden of [new Error("raw"), new Map(), { deep: [new TypeError("raw")] }]) {
        const error = new CacheError({ reason: new CacheUnavailable({ detail: "gone" }) })
        assert.deepStrictEqual(foreign(error), [])
        Object.defineProperty(error, "hidden", { value: hidden, enumerable: false })
        assert.isNotEmpty(foreign(error))
      }
    })
  },
  ["rabbit", "redisNode"]
)
