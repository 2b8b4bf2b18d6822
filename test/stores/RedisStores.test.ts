/**
 * Effect's stores on Redis against the cases of all stores, and Effect's `Redis` service itself: blocking commands,
 * messages, scripts after a restart of the server, and errors without secrets.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Queue, Schema } from "effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redis from "effect/persistence/Redis"
import { inspect } from "node:util"
import * as RedisStores from "../../src/app/RedisStores.ts"
import { CacheError } from "../../src/bus/port/CacheError.ts"
import * as TemporaryState from "../../src/bus/read/TemporaryState.ts"
import { effectStoreCases } from "./EffectStoreCases.ts"
import { describeLive, freshNamespace, redisUrl } from "../support/live.ts"
import { proxyTo } from "../redis/ServiceOnRedis.ts"
import { cli, node, secret, until } from "../redis/support.ts"

describeLive(
  "on Redis",
  () =>
    effectStoreCases(
      "Stores",
      RedisStores.layer({ url: redisUrl(), namespace: freshNamespace(), timeout: "10 seconds" })
    ),
  ["redis"]
)

const Code = Schema.Struct({ code: Schema.String })

/** Effect's Redis on a server of its own. */
const open = (url: string, more: { readonly timeout?: "10 seconds" } = {}) =>
  Layer.build(RedisStores.layer({ url, ...more }))
const redisOn = (url: string) => Effect.map(open(url), (context) => Context.get(context, Redis.Redis))
const isUp = (redis: Redis.Redis["Service"]) => until("up", Effect.map(Effect.exit(redis.send("PING")), Exit.isSuccess))

describeLive(
  "Effect's Redis",
  () => {
    it.live("a reserved connection may block longer than the deadline of a command, and delays no other one", () =>
      Effect.gen(function* () {
        const server = yield* node()
        const redis = yield* redisOn(server.url)
        yield* isUp(redis)
        const popped = yield* Effect.forkChild(
          Effect.scoped(
            Effect.gen(function* () {
              const own = yield* redis.reserve
              return yield* own.send<ReadonlyArray<string> | null>("BLPOP", "eduflow:{q}:list", "0")
            })
          )
        )
        yield* until(
          "it waits",
          Effect.map(cli(server, "CLIENT", "LIST"), (list) => list.includes("cmd=blpop"))
        )
        yield* Effect.sleep(400)
        assert.strictEqual(yield* redis.send("RPUSH", "eduflow:{q}:list", "first"), 1)
        assert.deepStrictEqual(yield* Fiber.join(popped), ["eduflow:{q}:list", "first"])
      })
    )

    it.live("D2: a blocking command fails when the server is gone, and an interrupted one closes its connection", () =>
      Effect.gen(function* () {
        const server = yield* node()
        const redis = yield* redisOn(server.url)
        yield* isUp(redis)
        const block = Effect.scoped(Effect.flatMap(redis.reserve, (own) => own.send("BLPOP", "eduflow:q", "0")))
        const waiting = Effect.map(
          cli(server, "CLIENT", "LIST"),
          (list) => list.split("\n").filter((line) => line.includes("cmd=blpop")).length
        )
        const first = yield* Effect.forkChild(block)
        yield* until(
          "one waits",
          Effect.map(waiting, (count) => count === 1)
        )
        yield* Fiber.interrupt(first)
        yield* until(
          "none is left",
          Effect.map(waiting, (count) => count === 0)
        )
        const second = yield* Effect.forkChild(Effect.flip(block))
        yield* until(
          "one waits again",
          Effect.map(waiting, (count) => count === 1)
        )
        yield* Effect.promise(() => server.kill())
        const error = yield* Fiber.join(second)
        assert.isTrue(error.cause instanceof CacheError)
        const none = yield* Effect.flip(Effect.scoped(redis.reserve))
        assert.include(String(none.cause), "ECONNREFUSED")
      })
    )

    it.live("D1: messages are received, also after a lost connection", () =>
      Effect.gen(function* () {
        const server = yield* node()
        const proxy = yield* proxyTo(server)
        const redis = yield* redisOn(`redis://127.0.0.1:${proxy.port}`)
        const heard = yield* redis.subscribe("eduflow:news")
        const tell = (message: string) =>
          until(
            `somebody hears ${message}`,
            Effect.map(cli(server, "PUBLISH", "eduflow:news", message), (count) => count === "1")
          )
        yield* tell("one")
        assert.deepStrictEqual(yield* Queue.take(heard), { channel: "eduflow:news", message: "one" })
        proxy.reset()
        yield* tell("two")
        assert.strictEqual((yield* Queue.take(heard)).message, "two")
      })
    )

    it.live("D1, D5: a server without the scripts gets them again", () =>
      Effect.gen(function* () {
        const server = yield* node()
        const context = yield* open(server.url, { timeout: "10 seconds" })
        const limiter = yield* Effect.provideContext(RateLimiter.make, context)
        const redis = Context.get(context, Redis.Redis)
        yield* isUp(redis)
        const options = { key: "k", limit: 9, window: "1 hour", algorithm: "token-bucket", onExceeded: "fail" } as const
        assert.strictEqual((yield* limiter.consume(options)).remaining, 8)
        yield* cli(server, "SCRIPT", "FLUSH")
        assert.strictEqual((yield* limiter.consume(options)).remaining, 7)
        const sha = yield* redis.send<string>("SCRIPT", "LOAD", "return ARGV[1]")
        assert.strictEqual(yield* redis.send("EVALSHA", sha, "0", "here"), "here")
        assert.deepStrictEqual(yield* redis.send("EVAL", "return {KEYS[1], ARGV[1]}", "1", "eduflow:k", "a"), [
          "eduflow:k",
          "a"
        ])
      })
    )

    it.live("D1, D3, P14: down, refused or misconfigured: our reason, at once, without a secret", () =>
      Effect.gen(function* () {
        const server = yield* node()
        yield* cli(server, "ACL", "SETUSER", "reader", "on", `>${secret}`, "~eduflow:*", "+get", "+ping")
        const context = yield* open(`redis://reader:${secret}@127.0.0.1:${server.port}`)
        const redis = Context.get(context, Redis.Redis)
        const values = Context.get(context, KeyValueStore.KeyValueStore)
        const codes = yield* TemporaryState.make("codes", { schema: Code, timeToLive: "1 hour" }).pipe(
          Effect.provideContext(context)
        )
        yield* isUp(redis)
        const failures = Effect.all([
          Effect.flip(redis.send("SET", "eduflow:k", secret)),
          Effect.flip(redis.send("NO SUCH COMMAND", secret)),
          Effect.flip(values.set("k", secret)),
          Effect.flip(codes.set("k", { code: secret })),
          Effect.flip(Effect.scoped(redis.subscribe("eduflow:c").pipe(Effect.flatMap(Queue.take))))
        ])
        for (const error of yield* failures) {
          assert.notInclude(inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error), secret)
        }
        const refused = yield* Effect.flip(codes.set("k", { code: secret }))
        assert.deepInclude(refused.reason, { _tag: "Refused", code: "NOPERM" })
        assert.include(refused.message, "ACL SETUSER")
        yield* Effect.promise(() => server.kill())
        yield* until(
          "it is down",
          Effect.map(Effect.flip(codes.get("k")), ({ reason }) => reason._tag === "Unavailable")
        )
        for (const error of yield* failures) {
          assert.notInclude(inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error), secret)
        }
        yield* Effect.promise(() => server.restart())
        yield* until(
          "it is back, and knows nobody",
          Effect.map(Effect.flip(codes.get("k")), ({ reason }) => reason._tag === "Refused")
        )
      })
    )
  },
  ["redisNode"]
)
