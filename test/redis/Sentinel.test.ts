/**
 * Redis behind real sentinels: the conformance suites, a master that is killed, and one that
 * is asked to step down (D3, D5). They run as the least-privilege user of the guide.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { afterAll, beforeAll } from "vitest"
import { CacheStore } from "../../src/bus/port/CacheStore.ts"
import * as RedisStores from "../../src/app/RedisStores.ts"
import type * as RedisCache from "../../src/redis/cache/RedisCache.ts"
import * as RedisClient from "../../src/redis/connection/RedisClient.ts"
import * as RedisClaims from "../../src/redis/claims/RedisClaims.ts"
import { cacheStoreCases, claimStoreCases } from "../../src/ports/index.ts"
import { conforms } from "../support/conformance.ts"
import { effectStoreCases } from "../stores/EffectStoreCases.ts"
import { describeLive } from "../support/live.ts"
import { type RedisSentinels, startSentinels } from "../support/RedisSentinels.ts"
import { guideUser } from "./GuideUser.ts"
import { ask, entry, isUp, open, reasonOf, text, until, written } from "./support.ts"

describeLive(
  "Redis behind sentinels",
  () => {
    let watched: RedisSentinels
    const login = "?sentinelPassword=guard%26"
    const url = (): string => `redis+sentinel://eduflow:pw@${watched.hosts}/${watched.name}${login}`
    beforeAll(async () => {
      watched = await startSentinels({ password: "guard&" })
      await watched.everywhere(...guideUser("pw"))
    })
    afterAll(() => watched?.stop())

    const patient = { commandTimeout: "10 seconds" } as const
    const stores = new Set<RedisCache.RedisCacheStore>()
    conforms(
      "RedisCache",
      Layer.effect(
        CacheStore,
        Effect.suspend(() => open(url(), patient)).pipe(
          Effect.map((store) => {
            stores.add(store)
            return store
          })
        )
      ),
      cacheStoreCases({ settle: () => Effect.forEach(stores, written, { discard: true }) })
    )
    conforms(
      "RedisClaims",
      Layer.unwrap(
        Effect.sync(() =>
          Layer.provide(RedisClaims.layer, RedisClient.RedisClient.layer({ url: Redacted.make(url()), ...patient }))
        )
      ),
      claimStoreCases
    )
    effectStoreCases(
      "Stores",
      Layer.unwrap(Effect.sync(() => RedisStores.layer({ url: url(), timeout: "10 seconds" }))),
      {
        scans: false
      }
    )

    it.live("D3: faults of the sentinels are reported", () =>
      Effect.gen(function* () {
        const expectReason = Effect.fnUntraced(function* (address: string, what: string) {
          const store = yield* open(address)
          yield* until(
            what,
            Effect.map(reasonOf(store), (reason) => reason === what)
          )
          return (yield* Effect.flip(store.last("a.b", "k"))).message
        })
        const { hosts, master, name } = watched
        assert.include(
          yield* expectReason(`redis+sentinel://eduflow:pw@${hosts}/nobody${login}`, "MASTER"),
          "no sentinel knows"
        )
        yield* expectReason(`redis+sentinel://eduflow:pw@${hosts}/${name}`, "NOAUTH")
        yield* expectReason(`redis+sentinel://eduflow:wrong@${hosts}/${name}${login}`, "WRONGPASS")
        yield* expectReason(`redis+sentinel://127.0.0.1:${master.port}/${name}`, "SENTINEL")
        yield* expectReason("redis+sentinel://127.0.0.1:1/any", "Unavailable")
      })
    )

    it.live("D3, D5: the master steps down: writes and reads go on with its successor", () =>
      Effect.gen(function* () {
        const store = yield* open(url())
        const other = yield* open(url())
        store.write(entry(1))
        yield* written(store)
        yield* Effect.promise(() => watched.ask("SENTINEL", "FAILOVER", watched.name))
        yield* until(
          "the replica is the master",
          Effect.map(ask(watched.replica, "ROLE"), (role) => role.startsWith("master"))
        )
        // The old master accepts writes for ten more seconds, and loses them when it becomes a replica.
        assert.include(yield* ask(watched.master, "ROLE"), "master")
        yield* until(
          "the sentinels say so",
          Effect.promise(async () =>
            (await watched.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", watched.name)).includes(`${watched.replica.port}`)
          )
        )
        yield* until(
          "both heard it",
          Effect.map(ask(watched.replica, "CLIENT", "LIST"), (list) => list.split("eduflow-cache").length === 3)
        )
        store.write(entry(2))
        yield* written(store)
        yield* isUp(other)
        assert.include(yield* ask(watched.replica, "GET", "eduflow:{a.b/k}:last"), "body 2")
        assert.strictEqual(text(yield* other.last("a.b", "k")), "body 2")
        assert.strictEqual(store.stats().dropped, 0)
        // The sentinels would demote it in ten seconds.
        yield* ask(watched.master, "REPLICAOF", "127.0.0.1", String(watched.replica.port))
      })
    )

    it.live("D1, D5, D8: the master and a sentinel are killed: the replica is promoted and found", () =>
      Effect.gen(function* () {
        const store = yield* open(url())
        const other = yield* open(url())
        yield* isUp(store)
        yield* until(
          "the one that will be needed is in sync",
          Effect.map(ask(watched.master, "INFO", "replication"), (info) => info.includes("master_link_status:up"))
        )
        // The replica is the master now.
        assert.include(yield* ask(watched.replica, "ROLE"), "master")
        yield* Effect.promise(() => watched.replica.kill())
        yield* Effect.promise(async () => watched.sentinels[0]?.kill())
        for (let number = 3; number < 100; number++) store.write(entry(number))
        yield* until(
          "the other one is the master",
          Effect.map(ask(watched.master, "ROLE"), (role) => role.startsWith("master"))
        )
        yield* written(store)
        yield* isUp(other)
        assert.strictEqual(text(yield* other.last("a.b", "k")), "body 99")
        const bodies = yield* other.history("a.b", { key: undefined, limit: 97 })
        assert.deepStrictEqual(
          bodies.map(({ body }) => String(body).split(" ")[1]),
          Array.from({ length: 97 }, (_, n) => String(99 - n))
        )
        assert.strictEqual(store.stats().dropped, 0)
      })
    )
  },
  ["redisNode"]
)
