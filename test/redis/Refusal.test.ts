/**
 * Redis read-only, full or without permission: the reason names the remedy and no secret (P14), reads go on where they
 * can, and writes wait until it is fixed. On nodes of its own.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import { describeLive } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { cli, entry, node, open, reasonOf, refusalOf, secret, text, until, written } from "./support.ts"

describeLive(
  "Redis that refuses",
  () => {
    it.live("D3: READONLY: reads go on, writes wait for a master", () =>
      Effect.gen(function* () {
        const master = yield* node({ args: ["--repl-diskless-sync-delay", "0"] })
        const redis = yield* node()
        const store = yield* open(redis.url)
        store.write(entry(0))
        yield* written(store)
        yield* cli(redis, "REPLICAOF", "127.0.0.1", String(master.port))
        yield* until(
          "the replica is in sync",
          Effect.map(cli(redis, "INFO", "replication"), (info) => info.includes("master_link_status:up"))
        )
        yield* refusalOf(store, "READONLY")
        yield* cli(redis, "REPLICAOF", "NO", "ONE")
        yield* written(store)
        assert.strictEqual(text(yield* store.last("a.b", "k")), "body 1")
      })
    )

    it.live("D3: OOM: reads go on, writes wait for memory", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const store = yield* open(redis.url)
        yield* cli(redis, "CONFIG", "SET", "maxmemory", "1")
        yield* refusalOf(store, "OOM")
        assert.isTrue(Option.isNone(yield* store.last("never.written", "k")))
        yield* cli(redis, "CONFIG", "SET", "maxmemory", "0")
        yield* written(store)
      })
    )

    it.live("D3: NOPERM: the command or the key is not granted", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        yield* cli(redis, "ACL", "SETUSER", "reader", "on", `>${secret}`, "~eduflow:*", "+get", "+ping")
        const store = yield* open(`redis://reader:${secret}@127.0.0.1:${redis.port}`)
        yield* refusalOf(store, "NOPERM")
        assert.isTrue(Option.isNone(yield* store.last("never.written", "k")))
        // The scripts are granted, but not their commands.
        yield* cli(redis, "ACL", "SETUSER", "reader", "+evalsha", "+eval")
        yield* refusalOf(store, "NOPERM")
        yield* cli(redis, "ACL", "SETUSER", "reader", "resetkeys", "~other:*")
        assert.strictEqual(yield* reasonOf(store), "NOPERM")
        // The permissions of the remedy are enough.
        yield* cli(
          redis,
          "ACL",
          "SETUSER",
          "reader",
          "reset",
          "on",
          `>${secret}`,
          "~eduflow:*",
          "+@connection",
          "+get",
          "+set",
          "+getrange",
          "+mget",
          "+zadd",
          "+zremrangebyrank",
          "+zrevrangebyscore",
          "+time",
          "+eval",
          "+evalsha"
        )
        yield* written(store)
        assert.strictEqual((yield* store.history("a.b", { key: undefined, limit: 9 })).length, 1)
      })
    )

    it.live("D3: WRONGPASS and NOAUTH are reported, and end when the server changes", () =>
      Effect.gen(function* () {
        const redis = yield* node({ password: "right" })
        const wrong = yield* open(`redis://:${secret}@127.0.0.1:${redis.port}`)
        const none = yield* open(`redis://127.0.0.1:${redis.port}`)
        for (const [store, code] of [
          [wrong, "WRONGPASS"],
          [none, "NOAUTH"]
        ] as const) {
          store.write(entry(1))
          yield* until(
            code,
            Effect.map(reasonOf(store), (reason) => reason === code)
          )
        }
        yield* Effect.promise(() => redis.cli("CONFIG", "SET", "requirepass", secret))
        yield* written(wrong)
      })
    )

    it.live("D3: CLUSTERDOWN ends by itself, MOVED means a cluster; neither holds back other keys", () =>
      Effect.gen(function* () {
        // The default port of the cluster bus, 10,000 above, may be taken or too large.
        const buses = [yield* Effect.promise(freePort), yield* Effect.promise(freePort)] as const
        const args = (bus: number) => ({ args: ["--cluster-enabled", "yes", "--cluster-port", String(bus)] })
        const [redis, neighbour] = [yield* node(args(buses[0])), yield* node(args(buses[1]))]
        const store = yield* open(redis.url)
        assert.strictEqual(yield* reasonOf(store), "Unavailable")
        assert.include((yield* Effect.flip(store.last("never.written", "k"))).message, "CLUSTERDOWN")
        store.write(entry(1))
        const keySlot = (key: string) => Effect.map(cli(redis, "CLUSTER", "KEYSLOT", key), Number)
        const [here, elsewhere] = [yield* keySlot("eduflow:{a.b/k}:last"), yield* keySlot("eduflow:{a.b/m}:last")]
        assert.isTrue(here < elsewhere, `${here} ${elsewhere}`)
        yield* cli(redis, "CLUSTER", "ADDSLOTSRANGE", "0", String(elsewhere - 1))
        yield* cli(neighbour, "CLUSTER", "ADDSLOTSRANGE", String(elsewhere), "16383")
        yield* cli(redis, "CLUSTER", "MEET", "127.0.0.1", String(neighbour.port), String(buses[1]))
        yield* until(
          "the key of this node is written",
          Effect.map(
            Effect.exit(store.last("a.b", "k")),
            (exit) => Exit.isSuccess(exit) && store.stats().buffered === 0
          )
        )
        const { reason } = yield* Effect.flip(store.last("a.b", "m"))
        assert.deepInclude(reason, { _tag: "Refused", code: "MOVED" })
        assert.include(reason.message, "begin the Redis url with redis+cluster://")
        store.write(entry(2, { key: "m", settings: { history: 0 } }))
        store.write(entry(3))
        const other = yield* open(redis.url)
        yield* until(
          "what this node takes is written",
          Effect.map(Effect.option(other.last("a.b", "k")), (last) => text(Option.flatten(last)) === "body 3")
        )
        // Others may see it before its writer has the answer.
        yield* until(
          "the writer has the answer",
          Effect.sync(() => store.stats().written > 1)
        )
        assert.deepInclude(store.stats(), { written: 2, buffered: 1, dropped: 0 })
      })
    )

    it.live("a missing database: refused, and nothing is written to another one", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const store = yield* open(`${redis.url}/99`)
        store.write(entry(1))
        yield* until(
          "DB",
          Effect.map(reasonOf(store), (reason) => reason === "DB")
        )
        assert.strictEqual(yield* cli(redis, "DBSIZE"), "0")
        const third = yield* open(`${redis.url}/3`)
        third.write(entry(1))
        yield* written(third)
        assert.include(yield* cli(redis, "INFO", "keyspace"), "db3:keys=2")
      })
    )

    it.live("a database that the user may not select: refused, and nothing is written to another one", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        yield* cli(redis, "ACL", "SETUSER", "stay", "on", ">pw", "~*", "&*", "+@all", "-select")
        const store = yield* open(`${redis.url.replace("redis://", "redis://stay:pw@")}/3`)
        store.write(entry(1))
        yield* until(
          "NOPERM",
          Effect.map(reasonOf(store), (reason) => reason === "NOPERM")
        )
        assert.strictEqual(yield* cli(redis, "DBSIZE"), "0")
      })
    )

    it.live("TLS to a server without TLS", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const store = yield* open(redis.url.replace("redis:", "rediss:"))
        // Redis does not answer to bytes that it cannot read.
        yield* until(
          "no handshake",
          Effect.map(store.probe, ({ detail }) => detail.includes("ETIMEDOUT"))
        )
      })
    )

    it.live("a key of another type is reported, and holds back no other key", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        yield* cli(redis, "LPUSH", "eduflow:{a.b/k}:last", "x")
        yield* cli(redis, "SET", "eduflow:{a.b/t}:last", "some text")
        // A busy machine may take longer than a command has by default.
        const store = yield* open(redis.url, { commandTimeout: "10 seconds" })
        assert.deepInclude((yield* Effect.flip(store.last("a.b", "k"))).reason, { _tag: "Refused", code: "WRONGTYPE" })
        assert.strictEqual((yield* Effect.flip(store.last("a.b", "t"))).reason._tag, "Corrupt")
        store.write(entry(1))
        store.write(entry(2, { key: "other" }))
        store.write(entry(3, { key: "t" }))
        yield* written(store)
        assert.strictEqual(text(yield* store.last("a.b", "other")), "body 2")
        assert.strictEqual(text(yield* store.last("a.b", "t")), "body 3")
        assert.deepInclude(store.stats(), { dropped: 1, written: 2 })
      })
    )
  },
  ["redisNode"]
)
