/** `TestBus.deliver`: one event through the real delivery path, and how it was settled. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Schedule, Schema } from "effect"
import { Event, EventBus, Later, Reject, Subscriber } from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"

const Posted = Event.make("social.post.created", {
  version: 1,
  data: Schema.Struct({ text: Schema.String }),
  key: (post) => post.text
})
const Other = Event.make("social.post.removed", { version: 1, data: Schema.Struct({ text: Schema.String }) })

const feed = (handler: (text: string, attempt: number) => Effect.Effect<unknown, unknown>) =>
  Subscriber.layer("social.feed", {
    events: [Posted],
    idempotent: true,
    retry: Schedule.spaced("1 hour").pipe(Schedule.upTo({ times: 2 })),
    handler: (event, { attempt }) => handler(event.data.text, attempt)
  }).pipe(Layer.provideMerge(TestBus.layer))

const deliver = (text: string, id?: string) =>
  Effect.flatMap(TestBus, (bus) => bus.deliver("social.feed", Posted, { text }, id === undefined ? {} : { id }))

describe("TestBus.deliver", () => {
  it.effect("N35: reports handled, retried, postponed, dead-lettered and duplicate deliveries", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* deliver("good", "e-1"), { _tag: "Handled" })
      assert.deepStrictEqual(yield* deliver("good", "e-1"), { _tag: "Duplicate" })
      assert.deepStrictEqual(yield* deliver("later"), { _tag: "Postponed" })
      const retried = yield* deliver("flaky")
      assert(retried._tag === "Retried")
      assert.deepInclude(retried, { attempt: 1, retryIn: Duration.hours(1) })
      assert.deepInclude(retried.error, { tag: "string", message: "not yet" })
      const rejected = yield* deliver("bad")
      assert(rejected._tag === "DeadLettered")
      assert.deepInclude(rejected, { reason: "Rejected", attempts: 1 })
      assert.deepInclude(rejected.error, { tag: "Reject", message: "never" })
    }).pipe(
      Effect.provide(
        feed((text) => {
          if (text === "later") return Effect.fail(Later.in("1 hour"))
          if (text === "flaky") return Effect.fail("not yet")
          return text === "bad" ? Effect.fail(new Reject({ reason: "never" })) : Effect.void
        })
      )
    )
  )

  it.effect("stops before the retry, which runs when the bus is settled", () => {
    const attempts: Array<number> = []
    return Effect.gen(function* () {
      assert.strictEqual((yield* deliver("x"))._tag, "Retried")
      assert.deepStrictEqual([attempts, yield* Clock.currentTimeMillis], [[1], 0])
      yield* (yield* TestBus).settle
      assert.deepStrictEqual(attempts, [1, 2])
    }).pipe(
      Effect.provide(
        feed((_, attempt) =>
          Effect.suspend(() => (attempts.push(attempt), attempt === 1 ? Effect.fail("once") : Effect.void))
        )
      )
    )
  })

  it.effect("reaches that subscriber alone, and puts off an event that it did not ask for", () => {
    const seen: Array<string> = []
    const note = (name: string) => (event: { readonly data: { readonly text: string } }) =>
      Effect.sync(() => void seen.push(`${name} ${event.data.text}`))
    const subscribers = Layer.merge(
      Subscriber.layer("social.one", { events: [Posted], handler: note("one") }),
      Subscriber.layer("social.two", { events: [Posted, Other], handler: note("two") })
    )
    return Effect.gen(function* () {
      const bus = yield* TestBus
      assert.strictEqual((yield* bus.deliver("social.two", Other, { text: "a" }))._tag, "Handled")
      assert.strictEqual((yield* bus.deliver("social.one", Posted, { text: "b" }))._tag, "Handled")
      assert.strictEqual((yield* bus.deliver("social.one", Other, { text: "c" }))._tag, "Postponed")
      assert.deepStrictEqual(seen, ["two a", "one b"])
      assert.deepStrictEqual(yield* bus.published(Posted), [])
    }).pipe(Effect.provide(subscribers.pipe(Layer.provideMerge(TestBus.layer))))
  })

  it.effect("names the subscribers that run when there is none of that name, and refuses data that does not fit", () =>
    Effect.gen(function* () {
      const bus = yield* TestBus
      const missing = yield* Effect.flip(bus.deliver("social.fede", Posted, { text: "x" }))
      assert.strictEqual(missing._tag, "NoSuchSubscriber")
      assert.include(missing.message, "running: social.feed")
      // Code without types may pass this.
      const invalid = yield* Effect.flip(bus.deliver("social.feed", Posted, { text: 7 as unknown as string }))
      assert.strictEqual(invalid._tag, "InvalidEvent")
    }).pipe(Effect.provide(feed(() => Effect.void)))
  )

  it.live("works with the live clock", () =>
    Effect.gen(function* () {
      const bus = yield* TestBus
      assert.strictEqual((yield* bus.deliver("social.feed", Posted, { text: "x" }))._tag, "Handled")
      assert.strictEqual((yield* (yield* EventBus).publish(Posted, { text: "y" })).routed, true)
      yield* bus.settle
    }).pipe(Effect.provide(feed(() => Effect.sleep("30 millis"))))
  )
})
