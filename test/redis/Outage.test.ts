/**
 * Redis gone, frozen or slow: publishes succeed, reads fail in time, and it recovers by itself with every event stored
 * once (P4, P13). On nodes of its own.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option } from "effect"
import { describeLive } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { startProxy } from "../support/Proxy.ts"
import { cli, entry, isUp, node, open, reasonOf, text, textOf, until, written } from "./support.ts"

/** For a store whose Redis is well: on a busy machine it may answer later than within the default of 150 ms. */
const patient = { commandTimeout: "10 seconds" } as const

describeLive(
  "Redis that fails",
  () => {
    it.live("D1, P4: down at the start: the layer starts, nothing throws, and it recovers when Redis starts", () =>
      Effect.gen(function* () {
        const down = yield* node()
        yield* Effect.promise(() => down.kill())
        const store = yield* open(down.url)
        store.write(entry(1))
        assert.strictEqual(yield* reasonOf(store), "Unavailable")
        assert.strictEqual((yield* store.probe).status, "degraded")
        assert.strictEqual(text(yield* store.last("a.b", "k")), "body 1")
        assert.strictEqual(
          (yield* Effect.flip(store.history("a.b", { key: undefined, limit: 9 }))).reason._tag,
          "Unavailable"
        )
        yield* Effect.promise(() => down.restart())
        yield* written(store)
        yield* isUp(store)
        assert.strictEqual(text(yield* store.last("a.b", "k")), "body 1")
      })
    )

    it.live("D1, D8: killed and back: the writes of the meantime are there, once and in order", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const store = yield* open(redis.url)
        const other = yield* open(redis.url)
        store.write(entry(0))
        yield* written(store)
        const settings = { history: 5_000 }
        for (let number = 1; number <= 3_000; number++) {
          store.write(entry(number, { key: `k${number % 10}`, settings }))
          if (number === 1_000) yield* Effect.promise(() => redis.kill())
          if (number % 50 === 0) yield* Effect.yieldNow
        }
        yield* until("reads fail", Effect.map(Effect.exit(store.last("never.written", "k")), Exit.isFailure))
        yield* Effect.promise(() => redis.restart())
        yield* written(store)
        yield* isUp(other)
        const bodies = (yield* other.history("a.b", { key: undefined, limit: 10_000 })).map((one) =>
          Number(textOf(one).split(" ")[1])
        )
        // What Redis stored before it was killed is gone with it; after that nothing is missing and nothing is there twice.
        assert.deepStrictEqual(
          bodies,
          Array.from({ length: bodies.length }, (_, i) => 3_000 - i)
        )
        assert.isAtLeast(bodies.length, 1_500)
        for (let key = 0; key < 10; key++) assert.isTrue(Option.isSome(yield* other.last("a.b", `k${key}`)))
        assert.strictEqual(store.stats().dropped, 0)
      })
    )

    it.live("P13: the buffer is bounded by entries and bytes; the oldest are dropped and counted", () =>
      Effect.gen(function* () {
        const url = `redis://127.0.0.1:${yield* Effect.promise(freePort)}`
        const store = yield* open(url, { maxEntries: 100 })
        for (let number = 0; number < 1_000; number++) store.write(entry(number, { key: `k${number}` }))
        yield* Effect.sleep(50)
        assert.deepInclude(store.stats(), { buffered: 100, dropped: 900, written: 0 })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(store.last("a.b", "k899"))))
        assert.strictEqual(text(yield* store.last("a.b", "k900")), "body 900")
        const small = yield* open(url, { maxBytes: 100_000 })
        for (let number = 0; number < 1_000; number++) small.write(entry(number, { body: Buffer.alloc(10_000) }))
        assert.isBelow(small.stats().buffered, 11)
        small.write(entry(1, { body: Buffer.alloc(200_000) }))
        assert.strictEqual(small.stats().buffered, 0)
      })
    )

    it.live("a dropped entry is not found as the newest one", () =>
      Effect.gen(function* () {
        const store = yield* open(`redis://127.0.0.1:${yield* Effect.promise(freePort)}`, { maxEntries: 2 })
        for (const number of [9, 3, 2]) store.write(entry(number))
        assert.strictEqual(text(yield* store.last("a.b", "k")), "body 3")
      })
    )

    it.live(
      "D2, P4: frozen: reads end at their deadline, then at once; it recovers, and no event is stored twice",
      () =>
        Effect.gen(function* () {
          const redis = yield* node()
          const store = yield* open(redis.url)
          store.write(entry(0))
          yield* written(store)
          yield* Effect.promise(() => redis.suspend())
          assert.strictEqual(yield* reasonOf(store), "Unavailable")
          store.write(entry(1))
          store.write(entry(2))
          yield* until(
            "the breaker opens",
            Effect.map(reasonOf(store), (reason) => {
              assert.strictEqual(reason, "Unavailable")
              return store.stats().failures > 2
            })
          )
          // With the breaker open no read waits for its deadline: 200 of them would take half a minute.
          yield* Effect.forEach(Array.from({ length: 200 }), () => reasonOf(store)).pipe(Effect.timeout("2 minutes"))
          store.write(entry(3))
          yield* Effect.promise(() => redis.resume())
          yield* written(store)
          yield* isUp(store)
          const bodies = yield* store.history("a.b", { key: undefined, limit: 10 })
          assert.deepStrictEqual(bodies.map(textOf), ["body 3", "body 2", "body 1", "body 0"])
        })
    )

    it.live("D4: lost answers: the batch is sent again, and stored once", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const proxy = yield* Effect.acquireRelease(
          Effect.promise(() => startProxy(redis.port)),
          (proxy) => Effect.promise(() => proxy.close())
        )
        const store = yield* open(`redis://127.0.0.1:${proxy.port}`)
        const settings = { history: 1_000, perKey: true }
        store.write(entry(0, { settings }))
        yield* written(store)
        for (let round = 0; round < 5; round++) {
          const failures = store.stats().failures
          proxy.stall("down")
          for (let i = 0; i < 10; i++) store.write(entry(1 + round * 10 + i, { settings }))
          yield* until(
            "the batch timed out",
            Effect.sync(() => store.stats().failures > failures)
          )
          proxy.reset()
          proxy.resume()
          yield* written(store)
        }
        const expected = Array.from({ length: 51 }, (_, i) => `body ${50 - i}`)
        const reader = yield* open(redis.url, patient)
        for (const key of [undefined, "k"]) {
          const bodies = yield* reader.history("a.b", { key, limit: 1_000 })
          assert.deepStrictEqual(bodies.map(textOf), expected)
        }
      })
    )

    it.live("closing writes what waits, also right after the start", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* open(redis.url, patient)
            for (let number = 0; number < 2_000; number++) store.write(entry(number))
          })
        )
        const store = yield* open(redis.url, patient)
        assert.strictEqual(text(yield* store.last("a.b", "k")), "body 1999")
        yield* Effect.promise(() => redis.kill())
        // Without Redis it gives up: the scope has to end.
        yield* Effect.scoped(Effect.map(open(redis.url), (store) => store.write(entry(1))))
      })
    )

    it.live("D5: a restarted Redis has no scripts: they are sent again", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const store = yield* open(redis.url, patient)
        for (const number of [1, 2]) {
          store.write(entry(number))
          yield* written(store)
          assert.strictEqual(text(yield* store.last("a.b", "k")), `body ${number}`)
          yield* cli(redis, "SCRIPT", "FLUSH")
        }
        assert.strictEqual(store.stats().failures, 0)
      })
    )

    it.live("D9: slow but alive: the breaker opens and closes again", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const proxy = yield* Effect.acquireRelease(
          Effect.promise(() => startProxy(redis.port)),
          (proxy) => Effect.promise(() => proxy.close())
        )
        const store = yield* open(`redis://127.0.0.1:${proxy.port}`, { commandTimeout: "500 millis" })
        yield* isUp(store)
        const slowly = Effect.fnUntraced(function* (reads: number) {
          proxy.stall("down")
          const fibers = yield* Effect.forEach(Array.from({ length: reads }), () =>
            Effect.forkChild(Effect.exit(store.last("a.b", "k")), { startImmediately: true })
          )
          yield* Effect.sleep(380) // the latency itself
          proxy.resume()
          yield* Fiber.joinAll(fibers)
        })
        yield* slowly(10)
        assert.isTrue(Option.isNone(yield* store.last("a.b", "k")), "one hiccup is no reason, whatever is under way")
        for (let read = 0; read < 3; read++) yield* slowly(1)
        assert.match((yield* Effect.flip(store.last("a.b", "k"))).message, /slow|did not answer/)
        yield* isUp(store)
      })
    )

    it.live("a busy process does not count its own delay against Redis", () =>
      Effect.gen(function* () {
        const redis = yield* node()
        const store = yield* open(redis.url)
        yield* isUp(store)
        const read = yield* Effect.forkChild(store.last("a.b", "k"), { startImmediately: true })
        const end = performance.now() + 400
        while (performance.now() < end) {
          /* the event loop stands still */
        }
        assert.isTrue(Option.isNone(yield* Fiber.join(read)))
      })
    )
  },
  ["redisNode"]
)
