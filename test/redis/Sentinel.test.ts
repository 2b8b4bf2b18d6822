/**
 * Everything in Redis behind real sentinels: the suites of all stores, a master that is killed, and one that
 * is asked to step down (D3, D5). As the user that the README makes, who may no more.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { afterAll, beforeAll } from "vitest"
import { redisLive } from "../../src/app/RedisLive.ts"
import { EventCache } from "../../src/bus/EventCache.ts"
import type * as RedisCache from "../../src/redis/RedisCache.ts"
import * as RedisClient from "../../src/redis/RedisClient.ts"
import * as RedisMarks from "../../src/redis/RedisMarks.ts"
import { cacheSuite } from "../suites/CacheSuite.ts"
import { markSuite } from "../suites/MarkSuite.ts"
import { storeSuite } from "../suites/StoreSuite.ts"
import { describeLive } from "../support/live.ts"
import { type RedisSentinels, startSentinels } from "../support/RedisSentinels.ts"
import { readmeUser } from "./readmeUser.ts"
import { ask, entry, isUp, open, reasonOf, text, until, written } from "./support.ts"

describeLive(
  "Redis behind sentinels",
  () => {
    let watched: RedisSentinels
    const login = "?sentinelPassword=guard%26"
    const url = (): string => `redis+sentinel://eduflow:pw@${watched.hosts}/${watched.name}${login}`
    beforeAll(async () => {
      watched = await startSentinels({ password: "guard&" })
      await watched.everywhere(...readmeUser("pw"))
    })
    afterAll(() => watched?.stop())

    const patient = { commandTimeout: "10 seconds" } as const
    const stores = new Set<RedisCache.RedisCacheStore>()
    cacheSuite(
      "RedisCache",
      Layer.effect(
        EventCache,
        Effect.suspend(() => open(url(), patient)).pipe(
          Effect.map((store) => {
            stores.add(store)
            return EventCache.fromStore(store)
          })
        )
      ),
      { settle: () => Effect.forEach(stores, written, { discard: true }) }
    )
    markSuite(
      "RedisMarks",
      Effect.suspend(() => RedisClient.make({ url: Redacted.make(url()), ...patient })).pipe(
        Effect.flatMap(RedisMarks.make)
      )
    )
    storeSuite("Stores", Layer.unwrap(Effect.sync(() => redisLive({ url: url(), timeout: "10 seconds" }))), {
      scans: false
    })

    it.live("D3: what is wrong with the way through the sentinels is told", () =>
      Effect.gen(function* () {
        const told = Effect.fnUntraced(function* (address: string, what: string) {
          const store = yield* open(address)
          yield* until(
            what,
            Effect.map(reasonOf(store), (reason) => reason === what)
          )
          return (yield* Effect.flip(store.last("a.b", "k"))).message
        })
        const { hosts, master, name } = watched
        assert.include(
          yield* told(`redis+sentinel://eduflow:pw@${hosts}/nobody${login}`, "MASTER"),
          "no sentinel knows"
        )
        yield* told(`redis+sentinel://eduflow:pw@${hosts}/${name}`, "NOAUTH")
        yield* told(`redis+sentinel://eduflow:wrong@${hosts}/${name}${login}`, "WRONGPASS")
        yield* told(`redis+sentinel://127.0.0.1:${master.port}/${name}`, "SENTINEL")
        yield* told("redis+sentinel://127.0.0.1:1/any", "Unavailable")
      })
    )

    it.live("D3, D5: the master steps down: what is written and read goes on with the one that replaces it", () =>
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
        // The one that stepped down takes writes for ten more seconds, and loses them when it follows.
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
        // The sentinels would tell it so in ten seconds.
        yield* ask(watched.master, "REPLICAOF", "127.0.0.1", String(watched.replica.port))
      })
    )

    it.live("D1, D5, D8: the master is killed, and a sentinel with it: the replica is promoted and found", () =>
      Effect.gen(function* () {
        const store = yield* open(url())
        const other = yield* open(url())
        yield* isUp(store)
        yield* until(
          "the one that will be needed is in sync",
          Effect.map(ask(watched.master, "INFO", "replication"), (info) => info.includes("master_link_status:up"))
        )
        // By now the replica is the master.
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
