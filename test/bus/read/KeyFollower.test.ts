/**
 * One follower against a model, for steps in any order: events are delivered late, twice or not at all, reach the
 * cache before or after, and the cache fails. In virtual time.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { CacheError } from "../../../src/bus/port/CacheError.ts"
import { CacheUnavailable } from "../../../src/bus/port/CacheReason.ts"
import { compare } from "../../../src/bus/port/CacheOrder.ts"
import * as KeyFollower from "../../../src/bus/read/KeyFollower.ts"
import type * as Envelope from "../../../src/event/Envelope.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"

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

/** A follower over a memory cache, the events that it emitted, and controls for everything around it. */
const scene = Effect.gen(function* () {
  yield* TestClock.setTime(now)
  const store = yield* MemoryCache.make()
  const emitted: Array<Envelope.Envelope<"a.b", string>> = []
  const troubles: Array<string> = []
  const state = { fails: false, readMillis: 0, reads: 0 }
  const follower = yield* KeyFollower.make<"a.b", string>({
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
    emit: (event) => void emitted.push(event),
    onTrouble: (error) => void troubles.push(error.message)
  })
  const cached = (id: string, time: number) =>
    store.write({ event: "a.b", key: "k", id, time, body: Buffer.from(JSON.stringify({ time })), settings: {} })
  return { follower, emitted, troubles, state, cached, ids: () => emitted.map(({ id }) => id) }
})
const begin = (follower: KeyFollower.KeyFollower<"a.b", string>) =>
  Effect.forkChild(follower.follow, { startImmediately: true })

const Step = Schema.Union([
  Schema.TaggedStruct("Deliver", { event: Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7]) }),
  Schema.TaggedStruct("Cache", { event: Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7]) }),
  Schema.TaggedStruct("Gap", {}),
  Schema.TaggedStruct("Redis", { fails: Schema.Boolean, millis: Schema.Literals([0, 10, 100]) }),
  Schema.TaggedStruct("Wait", { millis: Schema.Literals([1, 50, 900, 2_000]) })
])

it.effect.prop(
  "N23: each event is newer than the one before, none comes twice; a delivery in time is emitted; the last one is the newest of all",
  { steps: Schema.Array(Step).check(Schema.isMinLength(12), Schema.isMaxLength(40)) },
  ({ steps }) =>
    Effect.gen(function* () {
      const { cached, emitted, state, follower } = yield* scene
      // Pairs share a time, so that ids decide.
      const events = Array.from({ length: 8 }, (_, n) => ({ id: `id-${n}`, time: now - 100 + Math.floor(n / 2) }))
      const promised = new Set<string>()
      const known = new Set<{ readonly id: string; readonly time: number }>()
      const fiber = yield* begin(follower)
      for (const step of steps) {
        if (step._tag === "Gap") follower.missed()
        else if (step._tag === "Redis") Object.assign(state, { fails: step.fails, readMillis: step.millis })
        else if (step._tag === "Wait") yield* TestClock.adjust(step.millis)
        else {
          const event = events[step.event] ?? assert.fail()
          known.add(event)
          if (step._tag === "Cache") cached(event.id, event.time)
          else {
            if (emitted.every((one) => compare(event, place(one)) > 0)) promised.add(event.id)
            follower.deliver(envelope(event.id, event.time))
          }
        }
      }
      Object.assign(state, { fails: false, readMillis: 0 })
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.interrupt(fiber)
      const ids = emitted.map(({ id }) => id)
      assert.deepStrictEqual(
        emitted.map(place),
        emitted.map(place).toSorted(compare),
        "an older event after a newer one"
      )
      assert.strictEqual(new Set(ids).size, ids.length, "an event came twice")
      for (const id of promised) assert.include(ids, id, "delivered in time and not emitted")
      const newest = [...known].toSorted(compare).at(-1)
      assert.strictEqual(ids.at(-1), newest?.id, "the last one is not the newest")
    }),
  { arbitrary: { runs: 300 } }
)

it.effect("deliveries while the cache is read come after its answer", () =>
  Effect.gen(function* () {
    const { cached, ids, state, follower } = yield* scene
    cached("a", now - 3)
    state.readMillis = 100
    yield* begin(follower)
    follower.deliver(envelope("c", now - 1))
    follower.deliver(envelope("b", now - 2))
    assert.deepStrictEqual(ids(), [])
    yield* TestClock.adjust(100)
    assert.deepStrictEqual(ids(), ["a", "b", "c"])
  })
)

it.effect("N23: after an interruption the cache is read at once, and deliveries meanwhile wait for it", () =>
  Effect.gen(function* () {
    const { cached, ids, state, follower } = yield* scene
    yield* begin(follower)
    yield* TestClock.adjust("3 seconds")
    cached("missed", now - 2)
    state.readMillis = 100
    follower.missed()
    follower.deliver(envelope("next", now - 1))
    yield* TestClock.adjust(50)
    assert.deepStrictEqual(ids(), [])
    yield* TestClock.adjust(50)
    assert.deepStrictEqual(ids(), ["missed", "next"])
    // A moment without Redis costs a moment.
    state.fails = true
    follower.missed()
    yield* TestClock.adjust(150)
    state.fails = false
    cached("later", now)
    yield* TestClock.adjust(600)
    assert.deepStrictEqual(ids(), ["missed", "next", "later"])
    yield* TestClock.adjust("10 seconds")
    assert.isBelow(state.reads, 15)
  })
)

it.effect(
  "P4: without an answer it goes on with live deliveries, reports it once, and reads less and less often until there is one",
  () =>
    Effect.gen(function* () {
      const { cached, ids, state, troubles, follower } = yield* scene
      state.fails = true
      yield* begin(follower)
      follower.deliver(envelope("b", now - 2))
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

it.effect("an event that a publisher writes behind its publish, or much later, is emitted", () =>
  Effect.gen(function* () {
    const { cached, ids, follower } = yield* scene
    yield* begin(follower)
    cached("a", now - 9)
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(ids(), ["a"])
    cached("b", now - 8)
    yield* TestClock.adjust("40 seconds")
    assert.deepStrictEqual(ids(), ["a", "b"])
  })
)

it.effect("O2: an event of a publisher whose clock runs an hour ahead is emitted once and blocks nothing", () =>
  Effect.gen(function* () {
    const { cached, ids, follower } = yield* scene
    yield* begin(follower)
    follower.deliver(envelope("ahead", now + 3_600_000))
    yield* TestClock.adjust(10)
    // Its own clock set it back to another time.
    cached("ahead", now + 3_600_000)
    follower.deliver(envelope("right", now + 12))
    yield* TestClock.adjust("2 minutes")
    follower.deliver(envelope("ahead", now + 3_600_000))
    assert.deepStrictEqual(ids(), ["ahead", "right"])
  })
)

it.effect("N23: events of two sources with one time and id are two; without an id each delivery is one", () =>
  Effect.gen(function* () {
    const { cached, emitted, ids, follower } = yield* scene
    yield* begin(follower)
    const event = envelope("17", now - 5)
    follower.deliver(event)
    follower.deliver({ ...event, source: "other", data: "of the other" })
    follower.deliver(event)
    cached("17", now - 5)
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(
      emitted.map(({ data }) => data),
      ["17", "of the other"]
    )
    for (const data of ["one", "two", "two"]) follower.deliver({ ...envelope("", now - 4), data })
    // Read again and again, it stays the same event.
    cached("", now - 4)
    yield* TestClock.adjust("3 minutes")
    assert.deepStrictEqual(ids(), ["17", "17", "", "", ""])
  })
)

it.effect("P13: the deliveries that wait for an answer are bounded, and the newest stays", () =>
  Effect.gen(function* () {
    const { ids, state, follower } = yield* scene
    state.readMillis = 150
    yield* begin(follower)
    for (let n = 0; n < 5_000; n++) follower.deliver(envelope(`id-${n}`, now - 5_000 + n))
    yield* TestClock.adjust(150)
    assert.strictEqual(ids().length, 1_024)
    assert.strictEqual(ids().at(-1), "id-4999")
  })
)
