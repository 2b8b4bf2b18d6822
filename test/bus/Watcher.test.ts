/**
 * One watcher against a model, whatever happens in which order: events are delivered late, not at all or
 * twice, reach the cache before or after, and the cache fails. In virtual time.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { CacheError, CacheUnavailable } from "../../src/bus/CacheError.ts"
import { compare } from "../../src/bus/CacheStore.ts"
import * as Watcher from "../../src/bus/Watcher.ts"
import type * as Envelope from "../../src/event/Envelope.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"

const now = 1_000_000
const silent = new CacheError({ reason: new CacheUnavailable({ detail: "no answer" }) })

const envelope = (id: string, time: number): Envelope.Envelope<"a.b", string> => ({
  id,
  type: "a.b",
  version: 1,
  source: "test",
  time: new Date(time),
  key: "k",
  correlationId: undefined,
  causationId: undefined,
  actor: undefined,
  data: id
})

const place = ({ id, time }: { readonly id: string; readonly time: Date }) => ({ id, time: time.getTime() })

/** A watcher over a memory cache, what it told, and hands on everything around it. */
const scene = Effect.gen(function* () {
  yield* TestClock.setTime(now)
  const store = yield* MemoryCache.make()
  const told: Array<Envelope.Envelope<"a.b", string>> = []
  const troubles: Array<string> = []
  const state = { fails: false, readMillis: 0, reads: 0 }
  const watcher = yield* Watcher.make<"a.b", string>({
    read: Effect.suspend(() => {
      state.reads++
      const answer = state.fails
        ? Effect.fail(silent)
        : Effect.map(store.last("a.b", "k"), (found) =>
            Option.getOrUndefined(
              Option.map(found, (one) => {
                const { time } = JSON.parse(String(one.body))
                return { time: one.time, id: one.id, event: envelope(one.id, time) }
              })
            )
          )
      return state.readMillis === 0 ? answer : Effect.delay(answer, state.readMillis)
    }),
    emit: (event) => void told.push(event),
    onTrouble: (error) => void troubles.push(error.message)
  })
  const cached = (id: string, time: number) =>
    store.write({ event: "a.b", key: "k", id, time, body: Buffer.from(JSON.stringify({ time })), settings: {} })
  return { watcher, told, troubles, state, cached, ids: () => told.map(({ id }) => id) }
})
const begin = (watcher: Watcher.Watcher<"a.b", string>) => Effect.forkChild(watcher.follow, { startImmediately: true })

const Step = Schema.Union([
  Schema.TaggedStruct("Deliver", { event: Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7]) }),
  Schema.TaggedStruct("Cache", { event: Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7]) }),
  Schema.TaggedStruct("Gap", {}),
  Schema.TaggedStruct("Redis", { fails: Schema.Boolean, millis: Schema.Literals([0, 10, 100]) }),
  Schema.TaggedStruct("Wait", { millis: Schema.Literals([1, 50, 900, 2_000]) })
])

it.effect.prop(
  "N23: each newer than the one before, none twice; what is delivered in time is told; at last it is the newest of all",
  { steps: Schema.Array(Step).check(Schema.isMinLength(12), Schema.isMaxLength(40)) },
  ({ steps }) =>
    Effect.gen(function* () {
      const { cached, state, told, watcher } = yield* scene
      // Pairs share a time, so that ids decide.
      const events = Array.from({ length: 8 }, (_, n) => ({ id: `id-${n}`, time: now - 100 + Math.floor(n / 2) }))
      const promised = new Set<string>()
      const known = new Set<{ readonly id: string; readonly time: number }>()
      const fiber = yield* begin(watcher)
      for (const step of steps) {
        if (step._tag === "Gap") watcher.missed()
        else if (step._tag === "Redis") Object.assign(state, { fails: step.fails, readMillis: step.millis })
        else if (step._tag === "Wait") yield* TestClock.adjust(step.millis)
        else {
          const event = events[step.event] ?? assert.fail()
          known.add(event)
          if (step._tag === "Cache") cached(event.id, event.time)
          else {
            if (told.every((one) => compare(event, place(one)) > 0)) promised.add(event.id)
            watcher.deliver(envelope(event.id, event.time))
          }
        }
      }
      Object.assign(state, { fails: false, readMillis: 0 })
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.interrupt(fiber)
      const ids = told.map(({ id }) => id)
      assert.deepStrictEqual(told.map(place), told.map(place).toSorted(compare), "an older one after a newer one")
      assert.strictEqual(new Set(ids).size, ids.length, "one twice")
      for (const id of promised) assert.include(ids, id, "delivered in time, and not told")
      const newest = [...known].toSorted(compare).at(-1)
      assert.strictEqual(ids.at(-1), newest?.id, "not the newest at last")
    }),
  { arbitrary: { runs: 300 } }
)

it.effect("what is delivered while the cache is asked comes after what it answers", () =>
  Effect.gen(function* () {
    const { cached, ids, state, watcher } = yield* scene
    cached("a", now - 3)
    state.readMillis = 100
    yield* begin(watcher)
    watcher.deliver(envelope("c", now - 1))
    watcher.deliver(envelope("b", now - 2))
    assert.deepStrictEqual(ids(), [])
    yield* TestClock.adjust(100)
    assert.deepStrictEqual(ids(), ["a", "b", "c"])
  })
)

it.effect("N23: after an interruption the cache is asked at once, and what is delivered meanwhile waits for it", () =>
  Effect.gen(function* () {
    const { cached, ids, state, watcher } = yield* scene
    yield* begin(watcher)
    yield* TestClock.adjust("3 seconds")
    cached("missed", now - 2)
    state.readMillis = 100
    watcher.missed()
    watcher.deliver(envelope("next", now - 1))
    yield* TestClock.adjust(50)
    assert.deepStrictEqual(ids(), [])
    yield* TestClock.adjust(50)
    assert.deepStrictEqual(ids(), ["missed", "next"])
    // A moment without Redis costs a moment.
    state.fails = true
    watcher.missed()
    yield* TestClock.adjust(150)
    state.fails = false
    cached("later", now)
    yield* TestClock.adjust(600)
    assert.deepStrictEqual(ids(), ["missed", "next", "later"])
    yield* TestClock.adjust("10 seconds")
    assert.isBelow(state.reads, 15)
  })
)

it.effect("P4: without an answer it goes on live, says so once, and asks ever less often until there is one", () =>
  Effect.gen(function* () {
    const { cached, ids, state, troubles, watcher } = yield* scene
    state.fails = true
    yield* begin(watcher)
    watcher.deliver(envelope("b", now - 2))
    assert.deepStrictEqual(ids(), ["b"])
    yield* TestClock.adjust("10 minutes")
    assert.isBelow(state.reads, 45)
    assert.strictEqual(troubles.length, 1)
    cached("c", now - 1)
    state.fails = false
    yield* TestClock.adjust("40 seconds")
    assert.deepStrictEqual(ids(), ["b", "c"])
  })
)

it.effect("what a publisher writes behind its publish, or much later, is told", () =>
  Effect.gen(function* () {
    const { cached, ids, watcher } = yield* scene
    yield* begin(watcher)
    cached("a", now - 9)
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(ids(), ["a"])
    cached("b", now - 8)
    yield* TestClock.adjust("40 seconds")
    assert.deepStrictEqual(ids(), ["a", "b"])
  })
)

it.effect("O2: a publisher whose clock runs an hour ahead is told once, and holds nothing back", () =>
  Effect.gen(function* () {
    const { cached, ids, watcher } = yield* scene
    yield* begin(watcher)
    watcher.deliver(envelope("ahead", now + 3_600_000))
    yield* TestClock.adjust(10)
    // Its own clock set it back to another time.
    cached("ahead", now + 3_600_000)
    watcher.deliver(envelope("right", now + 12))
    yield* TestClock.adjust("2 minutes")
    watcher.deliver(envelope("ahead", now + 3_600_000))
    assert.deepStrictEqual(ids(), ["ahead", "right"])
  })
)

it.effect("P13: what waits for an answer is bounded, and the newest stays", () =>
  Effect.gen(function* () {
    const { ids, state, watcher } = yield* scene
    state.readMillis = 150
    yield* begin(watcher)
    for (let n = 0; n < 5_000; n++) watcher.deliver(envelope(`id-${n}`, now - 5_000 + n))
    yield* TestClock.adjust(150)
    assert.strictEqual(ids().length, 1_024)
    assert.strictEqual(ids().at(-1), "id-4999")
  })
)
