/** `eventbus doctor` finds planted faults of a real Redis or Valkey, and nothing on a healthy one. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as AclRules from "../../src/redis/connection/AclRules.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { startRedis } from "../support/RedisNode.ts"
import { doctor } from "./Eventbus.ts"

/** Without RabbitMQ: the embedded bus has nothing to look at. */
const found = (url: string, namespace = freshNamespace()) =>
  Effect.map(
    doctor({ EVENTBUS_URL: "memory://", EVENTBUS_REDIS_URL: url, EVENTBUS_NAMESPACE: namespace }),
    ({ checks, findings }) => {
      assert.notInclude(JSON.stringify(findings), "s3cret-word")
      return checks
    }
  )

const server = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(() => startRedis({ args })),
    (node) => Effect.promise(() => node.stop())
  )

describeLive(
  "doctor on Redis",
  () => {
    it.live("finds nothing where nothing is wrong, and writes nothing", () =>
      Effect.gen(function* () {
        const node = yield* server()
        assert.deepStrictEqual(yield* found(node.url), [])
        assert.strictEqual((yield* Effect.promise(() => node.cli("DBSIZE"))).trim(), "0")
        // What was written and deleted again would count, too.
        assert.include(yield* Effect.promise(() => node.cli("INFO", "persistence")), "rdb_changes_since_last_save:0")
        const namespace = freshNamespace()
        yield* Effect.promise(() =>
          node.cli("ACL", "SETUSER", "least", "on", ">pw", ...AclRules.rules(namespace).split(" "))
        )
        const least = node.url.replace("redis://", "redis://least:pw@")
        assert.deepStrictEqual(yield* found(least, namespace), [])
      })
    )

    it.live("logins, rights, roles and memory", () =>
      Effect.gen(function* () {
        const node = yield* server("--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
        const cli = (...args: ReadonlyArray<string>) => Effect.promise(() => node.cli(...args))
        const nobody = yield* Effect.promise(freePort)
        assert.deepStrictEqual(yield* found(`redis://127.0.0.1:${nobody}`), ["redis.reachable"])
        assert.deepStrictEqual(yield* found(`redis://u:s3cret-word@127.0.0.1:${node.port}`), ["redis.credentials"])
        assert.deepStrictEqual(yield* found(`redis://u:s3cret-word@127.0.0.1:${node.port}/x`), ["redis.settings"])
        assert.deepStrictEqual(yield* found(`${node.url}/3`), [])
        assert.deepStrictEqual(yield* found(`${node.url}/99`), ["redis.database"])
        yield* cli("ACL", "SETUSER", "stay", "on", ">pw", "~*", "&*", "+@all", "-select")
        assert.deepStrictEqual(yield* found(`${node.url.replace("redis://", "redis://stay:pw@")}/3`), ["redis.acl"])
        yield* cli("ACL", "SETUSER", "few", "on", ">pw", "~*", "&*", "+@all", "-set", "-hset")
        assert.deepStrictEqual(yield* found(node.url.replace("redis://", "redis://few:pw@")), ["redis.acl"])
        yield* cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert.deepStrictEqual(yield* found(node.url), ["redis.eviction"])
        yield* cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
        yield* cli("CONFIG", "SET", "maxmemory", "900kb")
        assert.deepStrictEqual([...new Set(yield* found(node.url))], ["redis.memory"])
        yield* cli("CONFIG", "SET", "maxmemory", "0")
        yield* cli("REPLICAOF", "127.0.0.1", String(nobody))
        assert.include(yield* found(node.url), "redis.readonly")
      })
    )

    it.live("a node of a cluster behind an address of a single server", () =>
      Effect.gen(function* () {
        const node = yield* server("--cluster-enabled", "yes")
        assert.include(yield* found(node.url), "redis.mode")
      })
    )

    it.live("a server that hangs", () =>
      Effect.gen(function* () {
        const node = yield* server()
        yield* Effect.promise(node.suspend)
        const hanging = yield* doctor({ EVENTBUS_URL: "memory://", EVENTBUS_REDIS_URL: node.url }, "--timeout=1")
        yield* Effect.promise(node.resume)
        assert.deepStrictEqual(hanging.checks, ["redis.reachable"])
      })
    )
  },
  ["redisNode"]
)
