/**
 * Redis on a real cluster of three masters: the conformance suites, slots that move while they
 * are used, and a master that is killed (D3, D5). They run as the least-privilege user of the guide.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { afterAll, beforeAll } from "vitest"
import { CacheStore } from "../../src/bus/port/CacheStore.ts"
import * as RedisStores from "../../src/app/RedisStores.ts"
import * as Keys from "../../src/redis/connection/Keys.ts"
import type * as RedisCache from "../../src/redis/cache/RedisCache.ts"
import * as RedisClient from "../../src/redis/connection/RedisClient.ts"
import * as RedisClaims from "../../src/redis/claims/RedisClaims.ts"
import * as RedisFleet from "../../src/redis/fleet/RedisFleet.ts"
import { cacheStoreCases, claimStoreCases, fleetCases } from "../../src/ports/index.ts"
import { conforms } from "../support/conformance.ts"
import { effectStoreCases } from "../stores/EffectStoreCases.ts"
import { describeLive } from "../support/live.ts"
import { type RedisCluster, startCluster } from "../support/RedisCluster.ts"
import type { RedisNode } from "../support/RedisNode.ts"
import { guideUser } from "./GuideUser.ts"
import { cli, entry, isUp, open, text, until, written } from "./support.ts"

/** A client notices a failover by the command that meets it. */
const reads = (store: RedisCache.RedisCacheStore, event: string, key: string, what: string) =>
  until(
    `it reads ${what}`,
    Effect.map(Effect.option(store.last(event, key)), (found) => text(Option.flatten(found)) === what)
  )

describeLive(
  "Redis Cluster",
  () => {
    let cluster: RedisCluster
    const url = (): string => `redis+cluster://eduflow:pw@${cluster.hosts}`
    beforeAll(async () => {
      cluster = await startCluster()
      await cluster.everywhere(...guideUser("pw"))
    })
    afterAll(() => cluster?.stop())

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
    conforms(
      "RedisFleet",
      Layer.unwrap(
        Effect.sync(() =>
          Layer.provide(RedisFleet.layer, RedisClient.RedisClient.layer({ url: Redacted.make(url()), ...patient }))
        )
      ),
      fleetCases
    )
    effectStoreCases(
      "Stores",
      Layer.unwrap(Effect.sync(() => RedisStores.layer({ url: url(), timeout: "10 seconds" }))),
      {
        scans: false
      }
    )

    const keys = Keys.make("eduflow")
    const slotOf = (key: string) => Effect.map(cli(cluster.replica, "CLUSTER", "KEYSLOT", key), Number)
    const idOf = (node: RedisNode) => cli(node, "CLUSTER", "MYID")
    /** Some key of an event whose last known value lies on this node. */
    const keyOn = Effect.fnUntraced(function* (node: RedisNode, event: string) {
      const own = cluster.masters.indexOf(node)
      for (let n = 0; ; n++) {
        const slot = yield* slotOf(keys.last(event, `k${n}`))
        if (Math.min(2, Math.floor(slot / 5461)) === own) return { key: `k${n}`, slot }
      }
    })

    it.live("D3: MOVED and ASK: a slot moves to another node while it is written and read", () =>
      Effect.gen(function* () {
        const [, from, to] = cluster.masters
        if (from === undefined || to === undefined) return assert.fail("three masters")
        const event = "moving.slot"
        const { key, slot } = yield* keyOn(from, event)
        const settings = { history: 0 }
        const store = yield* open(url(), patient)
        const other = yield* open(url(), patient)
        let number = 0
        const step = Effect.gen(function* () {
          store.write(entry(++number, { event, key, settings }))
          yield* written(store)
          assert.strictEqual(text(yield* other.last(event, key)), `body ${number}`)
        })
        yield* step
        const [source, target] = [yield* idOf(from), yield* idOf(to)]
        yield* cli(to, "CLUSTER", "SETSLOT", String(slot), "IMPORTING", source)
        yield* cli(from, "CLUSTER", "SETSLOT", String(slot), "MIGRATING", target)
        yield* step
        const name = keys.last(event, key)
        yield* cli(from, "MIGRATE", "127.0.0.1", String(to.port), name, "0", "5000")
        // The key has left the node of its slot: ASK.
        yield* step
        for (const node of [to, from]) yield* cli(node, "CLUSTER", "SETSLOT", String(slot), "NODE", target)
        // The slot is elsewhere: MOVED.
        yield* step
        assert.include(yield* cli(to, "GET", name), `body ${number}`)
        assert.strictEqual(store.stats().failures, 0)
      })
    )

    it.live("D1, D5, D8: a master is killed: other slots go on, and its own recover when the replica takes over", () =>
      Effect.gen(function* () {
        const [first, second] = cluster.masters
        if (first === undefined || second === undefined) return assert.fail("three masters")
        const event = "failing.over"
        const [lost, safe] = [yield* keyOn(first, event), yield* keyOn(second, event)]
        const settings = { history: 0 }
        const store = yield* open(url())
        const other = yield* open(url())
        store.write(entry(1, { event, key: lost.key, settings }))
        yield* written(store)
        yield* until(
          "the replica has it",
          Effect.promise(async () => (await cluster.replica.cli("DBSIZE")) === (await first.cli("DBSIZE")))
        )
        yield* Effect.promise(() => first.kill())
        for (const { key } of [lost, safe]) store.write(entry(2, { event, key, settings }))
        yield* until(
          "it fails over",
          Effect.map(cli(cluster.replica, "ROLE"), (role) => role.startsWith("master"))
        )
        yield* written(store)
        yield* isUp(store)
        yield* isUp(other)
        yield* reads(other, event, lost.key, "body 2")
        assert.strictEqual(text(yield* other.last(event, safe.key)), "body 2")
        assert.strictEqual(store.stats().dropped, 0)
        // Back as a replica of the node that replaced it.
        yield* Effect.promise(() => first.restart())
        yield* until(
          "it follows",
          Effect.map(cli(first, "ROLE"), (role) => role.startsWith("slave"))
        )
        store.write(entry(3, { event, key: lost.key, settings }))
        yield* written(store)
        yield* reads(other, event, lost.key, "body 3")
      })
    )

    it.live("D3: a cluster url for a single server, and the other way round", () =>
      Effect.gen(function* () {
        const [, second] = cluster.masters
        if (second === undefined) return assert.fail("three masters")
        const single = yield* open(`redis://eduflow:pw@127.0.0.1:${second.port}`)
        const { key } = yield* keyOn(cluster.masters[2] ?? second, "somewhere.else")
        const moved = yield* Effect.flip(single.last("somewhere.else", key))
        assert.include(moved.message, "redis+cluster://")
      })
    )
  },
  ["redisNode"]
)
