/** The test kit: retries of hours take moments, and poison messages are found in the dead letters. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schedule, Schema } from "effect"
import { DeadLetters, Event, EventBus, Later, Reject, Subscriber } from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"

const Posted = Event.make("social.post.created", {
  version: 1,
  data: Schema.Struct({ text: Schema.String }),
  key: (post) => post.text
})

const scene = <A, E>(
  handler: (text: string, attempt: number) => Effect.Effect<unknown, unknown>,
  test: Effect.Effect<A, E, EventBus | DeadLetters | TestBus>,
  ordering: "none" | "key" = "none"
) =>
  Effect.provide(
    test,
    Subscriber.layer("social.feed", {
      events: [Posted],
      ordering,
      handler: (event, { attempt }) => handler(event.data.text, attempt),
      retry: Schedule.exponential("5 minutes").pipe(Schedule.upTo({ times: ordering === "key" ? 1 : 5 }))
    }).pipe(Layer.provideMerge(TestBus.layer))
  )

const publish = (text: string, delay?: string) =>
  Effect.flatMap(EventBus, (bus) => bus.publish(Posted, { text }, delay === undefined ? {} : { delay: "3 hours" }))
const settle = Effect.flatMap(TestBus, (bus) => bus.settle)

describe("TestBus", () => {
  it.effect("N35: runs retries of minutes to their end", () => {
    const attempts: Array<number> = []
    return scene(
      (_, attempt) =>
        Effect.suspend(() => (attempts.push(attempt), attempt < 3 ? Effect.fail("not yet") : Effect.void)),
      Effect.gen(function* () {
        yield* publish("a")
        yield* settle
        assert.deepStrictEqual(attempts, [1, 2, 3])
        assert.isAtLeast(yield* Clock.currentTimeMillis, 15 * 60 * 1000)
      })
    )
  })

  it.effect("finds a poison message in the dead letters", () =>
    scene(
      (text) => (text === "bad" ? Effect.fail(new Reject({ reason: "no" })) : Effect.void),
      Effect.gen(function* () {
        yield* publish("good")
        yield* publish("bad")
        yield* settle
        const letters = yield* (yield* DeadLetters).list("social.feed")
        assert.deepStrictEqual(
          letters.map(({ error, reason }) => [reason, error.message]),
          [["Rejected", "no"]]
        )
      })
    )
  )

  it.effect("delivers events that are delayed by hours, and waits in lanes", () => {
    const seen: Array<string> = []
    return scene(
      (text, attempt) =>
        Effect.gen(function* () {
          yield* Effect.sleep("2 seconds")
          if (text === "first" && attempt === 1) return yield* Effect.fail("once")
          if (text === "off" && !seen.includes("off")) {
            seen.push(text)
            return yield* Later.in("30 seconds")
          }
          seen.push(text)
        }),
      Effect.gen(function* () {
        yield* publish("late", "3 hours")
        yield* publish("first")
        yield* publish("off")
        yield* settle
        assert.deepStrictEqual(seen, ["off", "off", "first", "late"])
      }),
      "key"
    )
  })

  it.effect("N35: runs keys that are parked for days to their end, in order", () => {
    const handled: Array<readonly [string, number]> = []
    const Ledger = Subscriber.layer("finance.ledger", {
      events: [Posted],
      ordering: "key",
      onBlocked: "park",
      handler: (event, { attempt }) =>
        Effect.suspend(() => {
          handled.push([event.id, attempt])
          return event.id === "first" && attempt < 4 ? Effect.fail("closed") : Effect.void
        }),
      retry: Schedule.spaced("1 day")
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      for (const id of ["first", "second", "third"]) yield* bus.publish(Posted, { text: "one key" }, { id })
      yield* settle
      assert.deepStrictEqual(handled, [
        ...[1, 2, 3, 4].map((attempt) => ["first", attempt] as const),
        ["second", 1],
        ["third", 1]
      ])
      assert.isAtLeast(yield* Clock.currentTimeMillis, 3 * 24 * 60 * 60 * 1000)
    }).pipe(Effect.provide(Ledger.pipe(Layer.provideMerge(TestBus.layer))))
  })

  it.effect("N35: waits for real work, which no clock hurries", () => {
    let done = false
    return scene(
      () =>
        Effect.promise(() => new Promise<void>((resolve) => void setTimeout(() => resolve(void (done = true)), 60))),
      Effect.gen(function* () {
        yield* publish("slow")
        yield* settle
        assert.isTrue(done)
      })
    )
  })

  it.effect("returns what was published", () =>
    scene(
      () => Effect.void,
      Effect.gen(function* () {
        yield* publish("a")
        yield* publish("b")
        const published = yield* (yield* TestBus).published(Posted)
        assert.deepStrictEqual(
          published.map(({ data }) => data.text),
          ["a", "b"]
        )
      })
    )
  )

  it.live("waits with the live clock", () => {
    let handled = 0
    return scene(
      () =>
        Effect.delay(
          Effect.sync(() => handled++),
          "30 millis"
        ),
      Effect.gen(function* () {
        yield* publish("a")
        yield* settle
        assert.strictEqual(handled, 1)
      })
    )
  })
})
