/** What requests do on every broker. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Result, Schedule, Schema, Stream } from "effect"
import { DeadLetters, Event, EventBus, Reject, RequestError, Subscriber } from "../../../src/index.ts"
import { until, untilEffect } from "../../../src/ports/conformance/setup/Waiting.ts"
import { NoSuchCourse, Ping, SeatsLeft } from "./contracts.ts"

const date = new Date("2026-12-24T00:00:00Z")

const Seats = Subscriber.reply("seats", {
  to: SeatsLeft,
  ordering: "key",
  handler: ({ data: { courseId } }) =>
    courseId === "none" ? new NoSuchCourse({ courseId }) : Effect.succeed({ seats: courseId.length, until: date })
})

/** Layers that can be built once a test. */
type Bus = Layer.Layer<EventBus | DeadLetters, unknown>

export const requestCases = (busOf: () => Bus): void => {
  const on =
    <A, E>(subscribers: Layer.Layer<never, E, EventBus>) =>
    (self: Effect.Effect<A, unknown, EventBus | DeadLetters>) =>
      Effect.provide(self, Layer.provideMerge(subscribers, busOf()))

  it.live("have the reply that their subscriber gives, as the schema of the contract reads it", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const all = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, n) => "c".repeat(n + 1)),
        (courseId) => bus.request(SeatsLeft, { courseId }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        all,
        all.map((_, n) => ({ seats: n + 1, until: date }))
      )
    }).pipe(on(Seats))
  )

  it.live("fail with the error that the contract declares, and nothing is retried or dead-lettered", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* EventBus).request(SeatsLeft, { courseId: "none" }))
      assert.instanceOf(error, NoSuchCourse)
      assert.strictEqual(error.courseId, "none")
      assert.strictEqual(yield* (yield* DeadLetters).count("seats"), 0)
    }).pipe(on(Seats))
  )

  it.live("fail at once where nobody replies, and where an option or the data is wrong", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const reasonOf = <A, E>(self: Effect.Effect<A, E>) =>
        Effect.map(Effect.flip(self), (error) => {
          assert.instanceOf(error, RequestError)
          return error.reason
        })
      const unheard = yield* reasonOf(bus.request(Ping, { n: 1 }))
      assert(unheard._tag === "NotPublished" && unheard.error.reason._tag === "Unroutable")
      assert.include(unheard.message, "start its `Subscriber.reply` first")
      const invalid = yield* reasonOf(bus.request(Ping, { n: 1.5 }))
      assert(invalid._tag === "NotPublished" && invalid.error.reason._tag === "Invalid")
      const option = yield* reasonOf(bus.request(Ping, { n: 1 }, { deadline: "0 seconds" }))
      assert(option._tag === "Invalid" && option.option === "deadline", option.message)
      const misspelled = { deadlin: "1 second" }
      assert.strictEqual((yield* reasonOf(bus.request(Ping, { n: 1 }, misspelled as {})))._tag, "Invalid")
      const Plain = Event.make("course.plain", { version: 1, data: Schema.Struct({ n: Schema.Int }) })
      const plain = yield* reasonOf(bus.request(Plain as never, { n: 1 } as never))
      assert.include(plain.message, "Make it with Event.request")
    }).pipe(on(Layer.empty))
  )

  it.live("are retried by the replier, and their asker learns of the dead letter", () => {
    const attempts: Array<number> = []
    const Flaky = Subscriber.reply("flaky", {
      to: Ping,
      retry: Schedule.recurs(2),
      handler: ({ data: { n } }, { attempt }) => {
        attempts.push(attempt)
        if (n === 1) return attempt < 3 ? Effect.fail("not yet") : Effect.succeed(n)
        return n === 2 ? Effect.fail(new Reject({ reason: "two is too many" })) : Effect.die(new Error("three"))
      }
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      assert.strictEqual(yield* bus.request(Ping, { n: 1 }), 1)
      assert.deepStrictEqual(attempts, [1, 2, 3])
      for (const [n, reason, text] of [
        [2, "Rejected", "two is too many"],
        [3, "Exhausted", "three"]
      ] as const) {
        const error = yield* Effect.flip(bus.request(Ping, { n }))
        assert(error.reason._tag === "DeadLettered", error.message)
        assert.strictEqual(error.reason.subscriber, "flaky")
        assert.strictEqual(error.reason.reason, reason)
        assert.include(error.message, text)
      }
      assert.strictEqual(yield* (yield* DeadLetters).count("flaky"), 2)
    }).pipe(on(Flaky))
  })

  it.live("that nobody waits for any more are interrupted and acknowledged, or never begun", () => {
    const book: Array<string> = []
    return Effect.gen(function* () {
      const free = yield* Deferred.make<void>()
      const Slow = Subscriber.reply("slow", {
        to: Ping,
        concurrency: 1,
        handler: ({ data: { n } }) => {
          book.push(`begun ${n}`)
          const wait = n === 1 ? Effect.uninterruptible(Deferred.await(free)) : Effect.never
          return Effect.as(
            Effect.onInterrupt(wait, () => Effect.sync(() => void book.push(`interrupted ${n}`))),
            n
          )
        }
      })
      yield* Effect.gen(function* () {
        const bus = yield* EventBus
        // A busy machine may need longer to begin with it.
        const late = Effect.flip(bus.request(Ping, { n: 0 }, { deadline: "300 millis" }))
        yield* untilEffect(
          () => book.join(),
          Effect.map(late, (error) => {
            assert.strictEqual(error.reason._tag, "NoReply")
            assert.include(error.message, "no answer within 300ms")
            return book.includes("interrupted 0")
          })
        )
        const first = yield* Effect.forkChild(bus.request(Ping, { n: 1 }))
        yield* until(
          () => book.join(),
          () => book.includes("begun 1")
        )
        // It waits behind the first one for longer than its asker does.
        const second = yield* Effect.flip(bus.request(Ping, { n: 2 }, { deadline: "200 millis" }))
        assert.strictEqual(second.reason._tag, "NoReply")
        yield* Deferred.succeed(free, undefined)
        assert.strictEqual(yield* Fiber.join(first), 1)
        const third = yield* Effect.flip(bus.request(Ping, { n: 3 }, { deadline: "200 millis" }))
        assert.strictEqual(third.reason._tag, "NoReply")
        assert.notInclude(book, "begun 2")
        assert.strictEqual(yield* (yield* DeadLetters).count("slow"), 0)
      }).pipe(on(Slow))
    })
  })

  it.live("of one process reach every subscriber, and have an answer of each", () => {
    const replier = (name: string, seats: number) =>
      Subscriber.reply(name, {
        to: Ping,
        handler: ({ data: { n } }) =>
          seats < 0 ? Effect.fail(new Reject({ reason: "closed" })) : Effect.succeed(n + seats)
      })
    const All = Layer.mergeAll(replier("one", 10), replier("two", 20), replier("broken", -1))
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const answers = yield* bus.requestAll(Ping, { n: 1 }, { within: "1 minute", atMost: 3 })
      const byName = new Map(answers.map(({ result, subscriber }) => [subscriber, result]))
      assert.deepStrictEqual(byName.get("one"), Result.succeed(11))
      assert.deepStrictEqual(byName.get("two"), Result.succeed(21))
      const broken = byName.get("broken")
      assert(broken !== undefined && Result.isFailure(broken) && broken.failure.reason._tag === "DeadLettered")
      const two = yield* bus.requestAll(Ping, { n: 1 }, { within: "1 minute", atMost: 2 })
      assert.lengthOf(two, 2)
      assert.isAtMost((yield* bus.requestAll(Ping, { n: 1 }, { within: "300 millis" })).length, 3)
    }).pipe(on(All))
  })

  it.live("are events: others may subscribe to them, and they may be published without waiting", () => {
    const replies: Array<string> = []
    const Silent = Subscriber.reply("silent", {
      to: Ping,
      handler: ({ data }) => Effect.sync(() => (replies.push(`handled ${data.n}`), data.n))
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const watching = yield* bus.stream([Ping]).pipe(
        Stream.filter(({ _tag }) => _tag === "Event"),
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      // A stream begins with its queue: the request is repeated until it is there.
      yield* untilEffect(
        () => replies.join(),
        Effect.map(
          Effect.andThen(bus.request(Ping, { n: 1 }), bus.publish(Ping, { n: 2 })),
          () => watching.pollUnsafe() !== undefined
        )
      )
      yield* until(
        () => replies.join(),
        () => replies.includes("handled 2")
      )
    }).pipe(on(Silent))
  })

  it.live("with a reply that breaks the contract are dead-lettered", () => {
    const Wrong = Subscriber.reply("wrong", { to: Ping, handler: () => Effect.succeed(1.5) })
    return Effect.gen(function* () {
      const error = yield* Effect.flip((yield* EventBus).request(Ping, { n: 1 }))
      assert(error.reason._tag === "DeadLettered", error.message)
      assert.include(error.message, "the reply is not what its contract says")
      const [letter] = yield* (yield* DeadLetters).list("wrong")
      assert.strictEqual(letter?.reason, "Rejected")
    }).pipe(on(Wrong))
  })
}
