/**
 * What every `CacheStore` promises, whatever it is made of: order, caps, times to live, keys that
 * cannot reach each other, bodies that come out as they went in. Run by each adapter on its own layer.
 */
import { assert, layer as withLayer } from "@effect/vitest"
import { Effect, type Layer, Option, Schema, Stream } from "effect"
import type { BrokerError } from "../../src/bus/BrokerError.ts"
import type { CacheEntry, CacheStore } from "../../src/bus/CacheStore.ts"
import { EventCache } from "../../src/bus/EventCache.ts"
import * as Codec from "../../src/event/Codec.ts"
import * as Event from "../../src/event/Event.ts"
import { agrees, base, contract, entryOf, Question, Write } from "./CacheModel.ts"

export interface CacheSuiteOptions {
  /** Awaited between writing and reading: what a store has still to do. Absent: reads see writes at once. */
  readonly settle?: (store: CacheStore) => Effect.Effect<void>
}

let named = 0
/** A name of an event that no other test uses. */
const fresh = (): string => `suite.event-${++named}`

const entry = (event: string, number: number, more: Partial<CacheEntry> = {}): CacheEntry => ({
  event,
  key: "",
  id: `id-${String(number).padStart(6, "0")}`,
  time: base + number,
  body: Buffer.from(`body ${number}`),
  settings: {},
  ...more
})

const oddKeys = [
  "",
  "a:b",
  "{a}",
  "}last",
  "a}:last",
  "a/b",
  "a%2Fb",
  "%",
  "line\nbreak\r\n",
  "snow ☃ and 🎓",
  "nul\u0000byte",
  "\ud800 half",
  "\udc00 half",
  "*",
  "__proto__",
  "k".repeat(255),
  "é".repeat(127)
]

export const cacheSuite = (
  name: string,
  layer: Layer.Layer<EventCache, BrokerError>,
  { settle = () => Effect.void }: CacheSuiteOptions = {}
): void =>
  withLayer(layer, { excludeTestServices: true, timeout: "60 seconds" })(name, (it) => {
    const store = Effect.map(EventCache, (cache) => cache.store)
    const lastOf = (event: string, key = "") =>
      Effect.flatMap(store, (store) => store.last(event, key)).pipe(
        Effect.map(Option.map(({ body }) => body.toString("utf8"))),
        Effect.map(Option.getOrUndefined)
      )
    const historyOf = (event: string, key?: string, limit = 1000) =>
      Effect.flatMap(store, (store) => store.history(event, { key, limit })).pipe(
        Effect.map((found) => found.map(({ body }) => body.toString("utf8")))
      )
    const write = Effect.fnUntraced(function* (...entries: ReadonlyArray<CacheEntry>) {
      const target = yield* store
      for (const one of entries) target.write(one)
      yield* settle(target)
    })

    it.effect("remembers the last event, and nothing before there is one", () =>
      Effect.gen(function* () {
        const event = fresh()
        assert.isUndefined(yield* lastOf(event))
        assert.deepStrictEqual(yield* historyOf(event), [])
        yield* write(entry(event, 1))
        assert.strictEqual(yield* lastOf(event), "body 1")
        yield* write(entry(event, 2))
        assert.strictEqual(yield* lastOf(event), "body 2")
      })
    )

    it.effect("gives back the bytes that it got", () =>
      Effect.gen(function* () {
        const event = fresh()
        const body = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256))
        yield* write(entry(event, 1, { body }))
        const cache = yield* store
        assert.deepStrictEqual(Option.getOrThrow(yield* cache.last(event, "")).body, body)
        assert.deepStrictEqual(
          (yield* cache.history(event, { key: undefined, limit: 1 })).map(({ body }) => body),
          [body]
        )
        yield* write(entry(event, 2, { body: Buffer.alloc(0) }))
        assert.strictEqual(Option.getOrThrow(yield* cache.last(event, "")).body.length, 0)
      })
    )

    it.effect("keeps events and keys apart", () =>
      Effect.gen(function* () {
        const [a, b] = [fresh(), fresh()]
        yield* write(entry(a, 1, { key: "x" }), entry(a, 2, { key: "y" }), entry(b, 3, { key: "x" }))
        assert.strictEqual(yield* lastOf(a, "x"), "body 1")
        assert.strictEqual(yield* lastOf(a, "y"), "body 2")
        assert.strictEqual(yield* lastOf(b, "x"), "body 3")
        assert.isUndefined(yield* lastOf(a))
      })
    )

    it.effect("P15: no key reaches another one, whatever it is called", () =>
      Effect.gen(function* () {
        const event = fresh()
        yield* write(...oddKeys.map((key, i) => entry(event, i, { key, settings: { perKey: true } })))
        for (const [i, key] of oddKeys.entries()) {
          assert.strictEqual(yield* lastOf(event, key), `body ${i}`, JSON.stringify(key))
          assert.deepStrictEqual(yield* historyOf(event, key), [`body ${i}`], JSON.stringify(key))
        }
        assert.strictEqual((yield* historyOf(event)).length, oddKeys.length)
      })
    )

    it.effect("N28: an older event never overwrites; at one time the greater id is newer, by its bytes", () =>
      Effect.gen(function* () {
        const event = fresh()
        yield* write(entry(event, 5))
        yield* write(entry(event, 4), entry(event, 3))
        assert.strictEqual(yield* lastOf(event), "body 5")
        yield* write(entry(event, 5, { id: "id-000004x", body: Buffer.from("smaller id") }))
        assert.strictEqual(yield* lastOf(event), "body 5")
        // As UTF-16 units the first would be the greater one; as bytes it is the second.
        yield* write(entry(event, 6, { id: "￿", body: Buffer.from("units") }))
        yield* write(entry(event, 6, { id: "🎓", body: Buffer.from("bytes") }))
        yield* write(entry(event, 6, { id: "￿", body: Buffer.from("again") }))
        assert.strictEqual(yield* lastOf(event), "bytes")
      })
    )

    it.effect.prop(
      "N28: it agrees with the model: last, lastMany, history, in any order and however it is batched",
      {
        writes: Schema.Array(Schema.Struct({ ...Write.fields, pause: Schema.Boolean })).check(
          Schema.isMinLength(6),
          Schema.isMaxLength(25)
        ),
        cap: Schema.Literals([1, 3, 8, 100]),
        questions: Schema.Array(Question).check(Schema.isMaxLength(4))
      },
      ({ cap, questions, writes }) =>
        Effect.gen(function* () {
          const event = fresh()
          const cache = yield* EventCache
          for (const { pause, ...write } of writes) {
            cache.store.write(entryOf(event, write, { history: cap, perKey: true }))
            if (pause) yield* Effect.yieldNow
          }
          yield* settle(cache.store)
          yield* agrees(cache, event, writes, cap, questions)
        }),
      { arbitrary: { runs: 80 } }
    )

    it.effect("lastMany: by key, what is not known is not in it, each asked once", () =>
      Effect.gen(function* () {
        const cache = yield* EventCache
        const event = fresh()
        yield* write(
          entryOf(event, { key: "a", time: 1, id: "a" }, {}),
          entryOf(event, { key: "b", time: 2, id: "b" }, {})
        )
        const found = yield* cache.lastMany(contract(event), ["b", "never", "a", "b"])
        assert.deepStrictEqual([...found.keys()], ["b", "a"])
        assert.deepStrictEqual(found.get("a")?.data, { key: "a", time: 1 })
        assert.strictEqual((yield* cache.lastMany(contract(event), [])).size, 0)
        const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`)
        yield* write(...keys.map((key, i) => entry(event, i, { key })))
        const bodies = yield* cache.store.lastMany(event, keys)
        assert.deepStrictEqual(
          bodies.map((one) => String(one?.body)),
          keys.map((_, i) => `body ${i}`)
        )
      })
    )

    it.effect("history: what comes late takes its place, and pushes out nothing newer", () =>
      Effect.gen(function* () {
        const event = fresh()
        const settings = { history: 3 }
        yield* write(...[5, 6, 7].map((number) => entry(event, number, { settings })))
        yield* write(entry(event, 1, { settings }), entry(event, 6, { settings }), entry(event, 2, { settings }))
        assert.deepStrictEqual(yield* historyOf(event), ["body 7", "body 6", "body 5"])
      })
    )

    it.effect("history: between two times, which are not in it; a time that is none finds nothing", () =>
      Effect.gen(function* () {
        const event = fresh()
        const cache = yield* EventCache
        const times = [0, 1, 1, 2, 3, 4] as const
        yield* write(...times.map((time, i) => entryOf(event, { key: "a", time, id: i === 2 ? "b" : "a" }, {})))
        const between = (before: number, after: number) =>
          Effect.map(
            cache.history(contract(event), { before: new Date(base + before), after: new Date(base + after) }),
            (found) => found.map(({ data, id }) => `${data.time}${id}`)
          )
        assert.deepStrictEqual(yield* between(3, 0), ["2a/a", "1a/b", "1a/a"])
        assert.deepStrictEqual(yield* between(1, 1), [])
        assert.deepStrictEqual(yield* between(Number.NaN, 0), [])
        assert.deepStrictEqual(yield* between(9, Number.NaN), [])
      })
    )

    it.effect("history as a stream: page by page, whatever is written meanwhile", () =>
      Effect.gen(function* () {
        const event = fresh()
        const cache = yield* EventCache
        const name = contract(event)
        const settings = { history: 1_000 }
        // Ten of each time: pages end within them.
        const number = (n: number): CacheEntry => ({
          ...entryOf(event, { key: "a", time: 0, id: "a" }, settings),
          id: `id-${String(n).padStart(6, "0")}`,
          time: base + Math.floor(n / 10)
        })
        yield* write(...Array.from({ length: 250 }, (_, n) => number(n)))
        let pages = 0
        const seen = yield* cache.store.history(event, { key: undefined, limit: 1_000 })
        const collected = yield* cache.historyStream(name, { pageSize: 7 }).pipe(
          Stream.chunks,
          Stream.tap(() =>
            Effect.andThen(
              Effect.sync(() => pages++),
              write(number(1_000 + pages))
            )
          ),
          Stream.runFold(
            () => 0,
            (sum, chunk) => sum + chunk.length
          )
        )
        assert.strictEqual(seen.length, 250)
        assert.strictEqual(collected, 250)
        assert.isAtLeast(pages, 250 / 7)
      })
    )

    it.effect("O2, N28: a time far ahead counts as now: it does not freeze the key", () =>
      Effect.gen(function* () {
        const event = fresh()
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        yield* write(entry(event, 1, { time: now + 3_600_000 }))
        assert.strictEqual(yield* lastOf(event), "body 1")
        yield* write(entry(event, 2, { time: now + 4_000 }))
        assert.strictEqual(yield* lastOf(event), "body 2")
      })
    )

    it.effect("forgets after the time to live, also when an older event came meanwhile", () =>
      Effect.gen(function* () {
        const event = fresh()
        yield* write(entry(event, 2, { settings: { ttl: 1_000 } }), entry(event, 9, { key: "stays" }))
        assert.strictEqual(yield* lastOf(event), "body 2")
        yield* write(entry(event, 1, { settings: {} }))
        yield* lastOf(event).pipe(Effect.repeat({ until: (last) => last === undefined }), Effect.timeout("10 seconds"))
        assert.strictEqual(yield* lastOf(event, "stays"), "body 9")
        assert.strictEqual((yield* historyOf(event)).length, 3)
        yield* write(entry(event, 1))
        assert.strictEqual(yield* lastOf(event), "body 1")
      })
    )

    it.effect("history: newest first, the newest so many", () =>
      Effect.gen(function* () {
        const event = fresh()
        const settings = { history: 5 }
        yield* write(...Array.from({ length: 8 }, (_, i) => entry(event, i, { settings })))
        assert.deepStrictEqual(yield* historyOf(event), ["body 7", "body 6", "body 5", "body 4", "body 3"])
        yield* write(entry(event, 8, { settings }))
        assert.deepStrictEqual(yield* historyOf(event, undefined, 2), ["body 8", "body 7"])
        assert.deepStrictEqual(yield* historyOf(event, undefined, 0), [])
        assert.deepStrictEqual(yield* historyOf(event, undefined, Number.NaN), [])
        // A lower cap holds from the next event on.
        yield* write(entry(event, 9, { settings: { history: 2 } }))
        assert.deepStrictEqual(yield* historyOf(event), ["body 9", "body 8"])
      })
    )

    it.effect("history: 100 where the contract does not say, none where it says 0", () =>
      Effect.gen(function* () {
        const [many, none] = [fresh(), fresh()]
        yield* write(...Array.from({ length: 1_200 }, (_, i) => entry(many, i)))
        const bodies = yield* historyOf(many)
        assert.deepStrictEqual([bodies.length, bodies[0], bodies[99]], [100, "body 1199", "body 1100"])
        yield* write(entry(none, 1, { settings: { history: 0 } }))
        assert.deepStrictEqual(yield* historyOf(none), [])
        assert.strictEqual(yield* lastOf(none), "body 1")
      })
    )

    it.effect("history of a key where the contract asks for it, each with its own cap", () =>
      Effect.gen(function* () {
        const event = fresh()
        const settings = { history: 3, perKey: true }
        const keys = ["a", "b", "a", "a", "a", "b"]
        yield* write(...keys.map((key, i) => entry(event, i, { key, settings })))
        assert.deepStrictEqual(yield* historyOf(event, "a"), ["body 4", "body 3", "body 2"])
        assert.deepStrictEqual(yield* historyOf(event, "b"), ["body 5", "body 1"])
        assert.deepStrictEqual(yield* historyOf(event), ["body 5", "body 4", "body 3"])
        const plain = fresh()
        yield* write(entry(plain, 1, { key: "a" }))
        assert.deepStrictEqual(yield* historyOf(plain, "a"), [])
      })
    )

    it.effect("last: false keeps the history alone; both off is nothing at all", () =>
      Effect.gen(function* () {
        const [some, none] = [fresh(), fresh()]
        yield* write(
          entry(some, 1, { settings: { last: false } }),
          entry(none, 1, { settings: { last: false, history: 0 } })
        )
        assert.isUndefined(yield* lastOf(some))
        assert.deepStrictEqual(yield* historyOf(some), ["body 1"])
        assert.isUndefined(yield* lastOf(none))
        assert.deepStrictEqual(yield* historyOf(none), [])
      })
    )

    it.effect("decodes by the contract that asks, older versions included", () =>
      Effect.gen(function* () {
        const cache = yield* EventCache
        const name = fresh()
        const V1 = Schema.Struct({ studentId: Schema.String, grade: Schema.Finite })
        const V2 = Schema.Struct({ studentId: Schema.String, grade: Schema.Finite, scale: Schema.String })
        const Old = Event.make(name, { version: 1, data: V1, key: (data) => data.studentId })
        const New = Event.make(name, {
          version: 2,
          data: V2,
          key: (data) => data.studentId,
          previous: [{ version: 1, data: V1, up: (old) => ({ ...old, scale: "percent" }) }]
        })
        const encodeOld = Codec.encoder(Old, "test")
        const head = { key: "s-1", correlationId: undefined, causationId: undefined, actor: undefined }
        const text = encodeOld({ ...head, id: "e-1", time: base }, { studentId: "s-1", grade: 93 })
        yield* write(entry(name, 1, { key: "s-1", body: Buffer.from(text) }))
        const found = Option.getOrThrow(yield* cache.last(New, "s-1"))
        assert.deepStrictEqual(found.data, { studentId: "s-1", grade: 93, scale: "percent" })
        assert.deepStrictEqual([found.id, found.key, found.version, found.time.getTime()], ["e-1", "s-1", 1, base])
        assert.deepStrictEqual(
          (yield* cache.history(New)).map((event) => event.data.scale),
          ["percent"]
        )
        assert.isTrue(Option.isNone(yield* cache.last(New, "s-2")))
        const newer = Codec.encoder(New, "test")(
          { ...head, id: "e-2", time: base + 1 },
          { studentId: "s-1", grade: 1, scale: "x" }
        )
        yield* write(entry(name, 2, { key: "s-1", body: Buffer.from(newer) }))
        assert.strictEqual((yield* Effect.flip(cache.last(Old, "s-1"))).reason._tag, "Corrupt")
      })
    )

    it.effect("P14: a body that does not fit is Corrupt, and its content is not told", () =>
      Effect.gen(function* () {
        const cache = yield* EventCache
        const Secret = Event.make(fresh(), { version: 1, data: Schema.Struct({ token: Schema.Finite }) })
        const body = Codec.encoder(Secret, "test")(
          { id: "e-1", time: base, key: undefined, correlationId: undefined, causationId: undefined, actor: undefined },
          { token: "hunter2" }
        )
        for (const [i, text] of ["hunter2 is no JSON", `{"hunter2":1}`, body].entries()) {
          yield* write(entry(Secret.name, i, { body: Buffer.from(text) }))
          const error = yield* Effect.flip(cache.last(Secret))
          assert.strictEqual(error.reason._tag, "Corrupt")
          assert.isFalse(error.isRetryable)
          assert.notInclude(error.message, "hunter2")
          assert.include(error.message, Secret.name)
        }
        assert.strictEqual((yield* Effect.flip(cache.history(Secret))).reason._tag, "Corrupt")
      })
    )

    it.effect("is up", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* (yield* store).probe).status, "up")
      })
    )
  })
