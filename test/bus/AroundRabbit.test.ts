/** Hooks on RabbitMQ: around handling and publishing, and what becomes of an event whose hook fails. */
import { assert, it } from "@effect/vitest"
import { Data, Effect, Layer, Schedule, Schema } from "effect"
import { Around, DeadLetters, Event, EventBus, PublishError, Subscriber } from "../../src/index.ts"
import { until, untilEffect } from "../../src/ports/conformance/setup/Waiting.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"

class Closed extends Data.TaggedError("Closed")<{ readonly shop: string }> {
  override get message(): string {
    return `${this.shop} is closed`
  }
}

const Sold = Event.make("around.sold", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

/** 1 is refused before it is handled, 2 after it is published; 3 is published twice. */
const shopWith = (book: Array<string>) =>
  Around.make({
    name: "shop",
    handling: (handle, { events: [event], deliveries: [delivery] }) =>
      Effect.gen(function* () {
        const n = (event?.data as { readonly n: number } | undefined)?.n
        book.push(`hook ${n}, attempt ${delivery?.attempt}`)
        if (n === 1) return yield* new Closed({ shop: "Ada's" })
        yield* handle
        book.push(`/hook ${n}`)
      }),
    publishing: (publish, { data }) => {
      const { n } = data as { readonly n: number }
      book.push(`publish ${n}`)
      if (n === 2) return Effect.andThen(publish, new Closed({ shop: "Ben's" }))
      return n === 3 ? Effect.andThen(publish, publish) : publish
    }
  })

describeLive("a hook on RabbitMQ", () => {
  const open = (book: Array<string>) =>
    Subscriber.layer("around.counter", {
      events: [Sold],
      concurrency: 1,
      idempotent: true,
      handler: ({ data: { n } }) => Effect.sync(() => book.push(`handler ${n}`)),
      retry: Schedule.recurs(1)
    }).pipe(
      Layer.provideMerge(
        EventBus.layerAmqp({ url: rabbitUrl(), redisUrl: redisUrl(), namespace: freshNamespace(), source: "shop" })
      ),
      Around.provide(shopWith(book))
    )

  it.live("surrounds publish and handler", () => {
    const book: Array<string> = []
    return Effect.gen(function* () {
      yield* (yield* EventBus).publish(Sold, { n: 0 })
      yield* until(
        () => book.join(),
        () => book.length === 4
      )
      assert.deepStrictEqual(book, ["publish 0", "hook 0, attempt 1", "handler 0", "/hook 0"])
    }).pipe(Effect.provide(open(book)))
  })

  it.live("that fails is retried, and dead-lettered with the tag of its error", () => {
    const book: Array<string> = []
    return Effect.gen(function* () {
      yield* (yield* EventBus).publish(Sold, { n: 1 })
      const letters = yield* DeadLetters
      yield* untilEffect(
        () => book.join(),
        Effect.map(letters.count("around.counter"), (count) => count === 1)
      )
      const [letter] = yield* letters.list("around.counter")
      assert.strictEqual(letter?.error.tag, "Closed")
      assert.include(letter?.error.message, "Ada's is closed")
      assert.strictEqual(letter?.attempts, 2)
      assert.deepStrictEqual(book, ["publish 1", "hook 1, attempt 1", "hook 1, attempt 2"])
    }).pipe(Effect.provide(open(book)))
  })

  it.live("that fails after the publish loses nothing, and what it publishes again is the same event", () => {
    const book: Array<string> = []
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const error = yield* Effect.flip(bus.publish(Sold, { n: 2 }))
      assert.instanceOf(error, PublishError)
      assert.include(error.message, "Ben's is closed; the event may be stored: publish it again with the same id")
      yield* until(
        () => book.join(),
        () => book.includes("/hook 2")
      )
      // One at a time and in order: the second publish and the repeated call come before 4.
      yield* Effect.flip(bus.publish(Sold, { n: 2 }, { id: error.id }))
      yield* bus.publish(Sold, { n: 3 })
      yield* bus.publish(Sold, { n: 4 })
      yield* until(
        () => book.join(),
        () => book.includes("/hook 4")
      )
      assert.deepStrictEqual(
        book.filter((line) => line.startsWith("handler")),
        ["handler 2", "handler 3", "handler 4"]
      )
    }).pipe(Effect.provide(open(book)))
  })
})
