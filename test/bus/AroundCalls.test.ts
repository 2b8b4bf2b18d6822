/** What a call of publish is within its hooks: one event with one id, counts that stay true, resources that end with it. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Layer, Option, Schema } from "effect"
import { Around, Event, EventBus, PublishAllError, Subscriber } from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"

class Closed extends Data.TaggedError("Closed")<{ readonly shop: string }> {}

const Sold = Event.make("around.sold", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

const closed = Effect.fail(new Closed({ shop: "Ada's" }))

const on = (around: Around.Around<unknown>) => Effect.provide(TestBus.layer.pipe(Around.provide(around)))

describe("a call within hooks", () => {
  it.effect("is one event however often a hook publishes it, and its failure has the id of that event", () => {
    const ids: Array<string> = []
    const Twice = Around.make({
      name: "twice",
      publishing: (publish, { options }) =>
        Effect.sync(() => ids.push(String(options.id))).pipe(
          Effect.andThen(publish),
          Effect.andThen(publish),
          Effect.andThen(closed)
        )
    })
    const Seller = Subscriber.layer("around.seller", {
      events: [Sold],
      handler: ({ id }) => Effect.sync(() => ids.push(id))
    })
    return Effect.gen(function* () {
      const call = (yield* EventBus).publish(Sold, { n: 1 })
      const { id } = yield* Effect.flip(call)
      yield* (yield* TestBus).settle
      assert.deepStrictEqual(ids, [id, id, id])
      assert.notStrictEqual((yield* Effect.flip(call)).id, id)
    }).pipe(Effect.provide(Seller.pipe(Layer.provideMerge(TestBus.layer), Around.provide(Twice))))
  })

  it.effect("counts what a publishAll has sent, whether its hook fails after it or instead of it", () => {
    const Shop = Around.make({
      name: "shop",
      publishing: (publish) => Effect.andThen(Effect.ignore(publish), closed)
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const after = yield* Effect.flip(bus.publishAll(Sold, [{ n: 1 }, { n: 2 }]))
      assert.instanceOf(after, PublishAllError)
      assert.deepInclude(after, { confirmed: 2, next: 2 })
      assert.strictEqual(Around.errorOf(Shop, after)?.shop, "Ada's")
      const instead = yield* Effect.flip(bus.publishAll(Sold, [{ n: 1 }, { n: Number.NaN }, { n: 3 }]))
      assert.deepInclude(instead, { confirmed: 1, next: 2 })
      assert.deepStrictEqual(
        instead.failures.map(({ error, index }) => [index, error.reason._tag]),
        [
          [2, "AroundFailed"],
          [1, "Invalid"]
        ]
      )
      assert.strictEqual(Around.errorOf(Shop, instead)?.shop, "Ada's")
    }).pipe(on(Shop))
  })

  it.effect("ends what its hook acquires, and has no span of the time when the bus was built", () => {
    const book: Array<string> = []
    const Lock = Around.make({
      name: "lock",
      publishing: (publish) =>
        Effect.acquireRelease(
          Effect.sync(() => book.push("lock")),
          () => Effect.sync(() => book.push("unlock"))
        ).pipe(
          Effect.andThen(Effect.option(Effect.currentParentSpan)),
          Effect.tap((span) => Effect.sync(() => book.push(Option.isSome(span) ? "a span" : "no span"))),
          Effect.andThen(publish)
        )
    })
    const bus = TestBus.layer.pipe(Around.provide(Lock), Layer.provide(Layer.span("building")))
    return Effect.gen(function* () {
      yield* (yield* EventBus).publish(Sold, { n: 1 })
      assert.deepStrictEqual(book, ["lock", "no span", "unlock"])
    }).pipe(Effect.provide(bus))
  })
})
