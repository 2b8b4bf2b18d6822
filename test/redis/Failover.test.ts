/**
 * One address of a managed Redis, and a failover behind it: the former primary becomes a replica and keeps its
 * connections, the address leads new connections to the new primary. Two real servers behind one proxy.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { makeLedger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import { statsBecome } from "../../src/ports/conformance/setup/Waiting.ts"
import * as RedisClaims from "../../src/redis/claims/RedisClaims.ts"
import { RedisClient } from "../../src/redis/connection/RedisClient.ts"
import { describeLive } from "../support/live.ts"
import { proxyTo } from "./ServiceOnRedis.ts"
import { cli, entry, isUp, node, open, refusalOf, text, written } from "./support.ts"

const stage = Effect.gen(function* () {
  const [former, next] = [yield* node(), yield* node()]
  const address = yield* proxyTo(former)
  return {
    next,
    address,
    url: `redis://127.0.0.1:${address.port}`,
    demote: cli(former, "REPLICAOF", "127.0.0.1", String(next.port)),
    move: Effect.sync(() => address.leadTo(next.port))
  }
})

describeLive(
  "a failover behind one address",
  () => {
    it.live("D3, D5: writes and reads go on with the new primary, over a new connection", () =>
      Effect.gen(function* () {
        const { address, demote, move, next, url } = yield* stage
        const store = yield* open(url)
        store.write(entry(1))
        yield* written(store)
        yield* move
        yield* demote
        store.write(entry(2))
        yield* written(store)
        yield* isUp(store)
        assert.include(yield* cli(next, "GET", "eduflow:{a.b/k}:last"), "body 2")
        assert.strictEqual(text(yield* store.last("a.b", "k")), "body 2")
        assert.isAtLeast(address.accepted(), 2)
        assert.strictEqual(store.stats().dropped, 0)
      })
    )

    it.live("D3, D5: an address that moves later than its primary is asked until it leads to the new one", () =>
      Effect.gen(function* () {
        const { address, demote, move, next, url } = yield* stage
        const store = yield* open(url)
        store.write(entry(0))
        yield* written(store)
        yield* demote
        yield* refusalOf(store, "READONLY")
        const dialled = address.accepted()
        yield* Effect.sleep("2 seconds")
        assert.isAtMost(address.accepted() - dialled, 8)
        yield* move
        yield* written(store)
        assert.include(yield* cli(next, "GET", "eduflow:{a.b/k}:last"), "body 1")
      })
    )

    for (const ordering of ["none", "key"] as const)
      it.live(`D3, D6, N17: a subscriber that waits for the store goes on by itself; ordering "${ordering}"`, () =>
        Effect.gen(function* () {
          const { demote, move, next, url } = yield* stage
          const claims = Layer.provide(RedisClaims.layer, RedisClient.layer({ url: Redacted.make(url) }))
          const server = yield* MemoryServer.make
          const { bus, subscribe } = yield* start(
            processOver(Layer.merge(MemoryBroker.layerOf(server, { namespace: "test" }), MemoryCache.layer)).pipe(
              Layer.provide(Layer.orDie(claims))
            )
          )
          const Changed = keyed()
          const ledger = makeLedger()
          const subscription = yield* subscribe(fresh(), {
            events: [Changed],
            ordering,
            idempotent: true,
            onStoreDown: "wait",
            handler: ledger.handler
          })
          yield* bus.publish(Changed, { n: 0, k: "k0" })
          yield* ledger.reaches(1)
          yield* move
          yield* demote
          for (const n of upTo(9)) yield* bus.publish(Changed, { n: n + 1, k: `k${n % 3}` })
          yield* ledger.reaches(10)
          yield* statsBecome(subscription, { handled: 10, held: 0, deadLettered: 0 })
          assert.deepStrictEqual(ledger.sorted(), upTo(10))
          assert.include(yield* cli(next, "KEYS", "*:claim"), "eduflow:{")
        })
      )
  },
  ["redisNode"]
)
