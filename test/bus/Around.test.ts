/** Hooks around handling and publishing: their order, their failures, and what they share with a handler. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, Layer, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import {
  Around,
  AroundFailure,
  DeadLetters,
  Event,
  EventBus,
  PublishAllError,
  PublishError,
  PublishReason,
  Reject,
  Subscriber
} from "../../src/index.ts"
import { SqliteFile } from "../../src/outbox/index.ts"
import { TestBus } from "../../src/testing/index.ts"

class Closed extends Data.TaggedError("Closed")<{ readonly shop: string }> {
  override get message(): string {
    return `${this.shop} is closed`
  }
}
class Broken extends Data.TaggedError("Broken")<{ readonly n: number }> {}

const Sold = Event.make("around.sold", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

/** A hook that writes down when it begins and ends. */
const noting = (name: string, book: Array<string>) => {
  const within = (self: Effect.Effect<unknown, Around.Passed>, what: string) =>
    Effect.sync(() => book.push(`${name} ${what}`)).pipe(
      Effect.andThen(self),
      Effect.ensuring(Effect.sync(() => book.push(`/${name}`)))
    )
  return Around.make({
    name,
    handling: (handle, { events, subscriber }) => within(handle, `${subscriber} ${events.length}`),
    publishing: (publish, { call, event }) => within(publish, `${call} ${event.name}`)
  })
}

const settled = Effect.flatMap(TestBus, ({ settle }) => settle)

describe("a hook around handling", () => {
  it.effect("surrounds those provided before it, of single events and of batches", () => {
    const book: Array<string> = []
    const Single = Subscriber.layer("around.single", {
      events: [Sold],
      handler: () => Effect.sync(() => book.push("handler"))
    })
    const bus = TestBus.layer.pipe(Around.provide(noting("inner", book)), Around.provide(noting("outer", book)))
    return Effect.gen(function* () {
      yield* (yield* EventBus).publish(Sold, { n: 1 })
      yield* settled
      assert.deepStrictEqual(book, [
        "outer publish around.sold",
        "inner publish around.sold",
        "/inner",
        "/outer",
        "outer around.single 1",
        "inner around.single 1",
        "handler",
        "/inner",
        "/outer"
      ])
    }).pipe(Effect.provide(Single.pipe(Layer.provideMerge(bus))))
  })

  it.effect("runs once around a batch, with all of its events", () => {
    const book: Array<string> = []
    const Batched = Subscriber.layer("around.batched", {
      events: [Sold],
      batch: { size: 3, maxWait: "1 minute" },
      handler: (events) => Effect.sync(() => book.push(`handler ${events.map(({ data }) => data.n).join()}`))
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      // A new consumer takes its first event alone.
      yield* bus.publish(Sold, { n: 0 })
      yield* settled
      book.length = 0
      yield* bus.publishAll(Sold, [{ n: 1 }, { n: 2 }, { n: 3 }])
      yield* settled
      assert.deepStrictEqual(book, [
        "hook publishAll around.sold",
        "/hook",
        "hook around.batched 3",
        "handler 1,2,3",
        "/hook"
      ])
    }).pipe(Effect.provide(Batched.pipe(Layer.provideMerge(TestBus.layer), Around.provide(noting("hook", book)))))
  })

  it.effect("that fails is a failed attempt: the policy gets its error with its type, the letter its tag", () => {
    const seen: Array<unknown> = []
    let failures = 0
    const Shop = Around.make({
      name: "shop",
      handling: (handle, { events: [event] }) =>
        event?.data !== undefined && failures++ < 4 ? Effect.fail(new Closed({ shop: "Ada's" })) : handle
    })
    const Counter = Subscriber.layer("around.counter", {
      events: [Sold],
      handler: ({ data: { n } }) =>
        n === 2 ? Effect.fail(new Broken({ n })) : Effect.sync(() => seen.push("handled")),
      retry: (error) => {
        const own: Closed | undefined = Around.errorOf(Shop, error)
        seen.push(own?.shop ?? error._tag)
        return Schedule.recurs(own === undefined ? 0 : 1)
      }
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const letters = yield* DeadLetters
      // Two attempts, both refused by the hook.
      yield* bus.publish(Sold, { n: 1 })
      yield* settled
      const [letter] = yield* letters.list("around.counter")
      assert.strictEqual(letter?.error.tag, "Closed")
      assert.include(letter?.error.message, "Ada's is closed")
      assert.strictEqual(letter?.attempts, 2)
      // A replay meets two refusals again at most, and the third attempt runs.
      failures = 3
      yield* letters.replay("around.counter")
      yield* settled
      assert.strictEqual(yield* letters.count("around.counter"), 0)
      // What the handler fails with passes as it is.
      yield* bus.publish(Sold, { n: 2 })
      yield* settled
      assert.strictEqual((yield* letters.list("around.counter"))[0]?.error.tag, "Broken")
      assert.deepStrictEqual(
        seen.filter((one, i) => one !== seen[i - 1]),
        ["Ada's", "handled", "Broken"]
      )
    }).pipe(Effect.provide(Counter.pipe(Layer.provideMerge(TestBus.layer), Around.provide(Shop))))
  })

  it.effect("decides by Reject and Later as a handler does, and a hook that throws kills nothing", () => {
    const Gate = Around.make({
      name: "gate",
      handling: (handle, { events }) => {
        const [{ n }] = events.map(({ data }) => data) as [{ readonly n: number }]
        if (n === 0) throw new Error("the hook threw")
        return n === 1 ? Effect.fail(new Reject({ reason: "not for us" })) : handle
      }
    })
    const handled: Array<number> = []
    const Gated = Subscriber.layer("around.gated", {
      events: [Sold],
      handler: ({ data: { n } }) => Effect.sync(() => handled.push(n)),
      retry: Schedule.recurs(0)
    })
    return Effect.gen(function* () {
      const { deliver } = yield* TestBus
      const thrown = yield* deliver("around.gated", Sold, { n: 0 })
      assert.deepInclude(thrown, { _tag: "DeadLettered", reason: "Exhausted" })
      const rejected = yield* deliver("around.gated", Sold, { n: 1 })
      assert.deepInclude(rejected, { _tag: "DeadLettered", reason: "Rejected" })
      assert.deepStrictEqual(yield* deliver("around.gated", Sold, { n: 2 }), { _tag: "Handled" })
      assert.deepStrictEqual(handled, [2])
    }).pipe(Effect.provide(Gated.pipe(Layer.provideMerge(TestBus.layer), Around.provide(Gate))))
  })

  it.effect("has its services, gives the handler more, and does not take the handler's", () => {
    class Shop extends Context.Service<Shop, string>()("test/Shop") {}
    class Till extends Context.Service<Till, string>()("test/Till") {}
    const book: Array<string> = []
    const Tills = Around.make({
      name: "tills",
      handling: (handle) =>
        Effect.gen(function* () {
          book.push(`hook ${yield* Shop}`)
          yield* Effect.provideService(handle, Till, "till 7")
        })
    })
    const Seller = Subscriber.layer("around.seller", {
      events: [Sold],
      handler: () =>
        Effect.gen(function* () {
          book.push(`handler ${yield* Shop} ${yield* Till}`)
        })
    })
    const bus = TestBus.layer.pipe(Around.provide(Tills), Layer.provide(Layer.succeed(Shop, "of the hook")))
    const own = Layer.merge(Layer.succeed(Shop, "of the handler"), Layer.succeed(Till, "no till"))
    return Effect.gen(function* () {
      yield* (yield* EventBus).publish(Sold, { n: 1 })
      yield* settled
      assert.deepStrictEqual(book, ["hook of the handler", "handler of the handler till 7"])
    }).pipe(Effect.provide(Seller.pipe(Layer.provide(own), Layer.provideMerge(bus))))
  })

  it.live("holds a transaction: what a failed attempt wrote is rolled back", () => {
    const Transaction = Effect.map(SqlClient.SqlClient, (sql) =>
      Around.make({ name: "transaction", handling: (handle) => sql.withTransaction(handle) })
    )
    const Ledger = Subscriber.layer("around.ledger", {
      events: [Sold],
      handler: ({ data: { n } }, { attempt }) =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`INSERT INTO sold (n, attempt) VALUES (${n}, ${attempt})`
          if (attempt === 1) return yield* new Broken({ n })
        }),
      retry: Schedule.recurs(1)
    })
    const Table = Layer.effectDiscard(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE sold (n INTEGER, attempt INTEGER)`)
    )
    const database = Table.pipe(Layer.provideMerge(SqliteFile.layer({ filename: ":memory:" })))
    return Effect.gen(function* () {
      yield* (yield* EventBus).publish(Sold, { n: 1 })
      yield* settled
      const rows = yield* (yield* SqlClient.SqlClient)`SELECT n, attempt FROM sold`
      assert.deepStrictEqual(rows, [{ n: 1, attempt: 2 }])
    }).pipe(
      Effect.provide(
        Ledger.pipe(Layer.provideMerge(TestBus.layer.pipe(Around.provide(Transaction))), Layer.provideMerge(database))
      )
    )
  })
})

describe("a hook around publishing", () => {
  const Shop = Around.make({
    name: "shop",
    publishing: (publish, { data }) => {
      const n = (data as { readonly n: number } | undefined)?.n
      if (n === undefined || n === 1) return Effect.fail(new Closed({ shop: "Ada's" }))
      if (n === 2) return Effect.andThen(publish, Effect.fail(new Closed({ shop: "Ben's" })))
      return n === 3 ? Effect.void : Effect.ignore(publish)
    }
  })

  it.effect("that fails is a PublishError which says whether the publish had begun", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const before = yield* Effect.flip(bus.publish(Sold, { n: 1 }, { id: "sale-1" }))
      assert.instanceOf(before, PublishError)
      assert.strictEqual(before.id, "sale-1")
      assert.isFalse(before.isRetryable)
      assert.include(before.message, 'the hook "shop" around the publish failed: Ada\'s is closed; nothing was sent')
      assert.strictEqual(Around.errorOf(Shop, before)?.shop, "Ada's")
      const after = yield* Effect.flip(bus.publish(Sold, { n: 2 }))
      assert.include(after.message, "Ben's is closed; the event may be stored: publish it again with the same id")
      const all = yield* Effect.flip(bus.publishAll(Sold, [{ n: 4 }]))
      assert.instanceOf(all, PublishAllError)
      assert.strictEqual(Around.errorOf(Shop, all)?.shop, "Ada's")
    }).pipe(Effect.provide(TestBus.layer.pipe(Around.provide(Shop))))
  )

  it.effect("P2: cannot claim an event that was not stored, and passes the outcome of one that was", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const skipped = yield* Effect.flip(bus.publish(Sold, { n: 3 }))
      assert.include(skipped.message, "it succeeded although no publish within it did")
      const hidden = yield* Effect.flip(bus.publish(Sold, { n: Number.NaN }))
      assert.instanceOf(hidden.reason, PublishReason.AroundFailed)
      assert.deepStrictEqual(yield* bus.publish(Sold, { n: 4 }, { id: "sale-4" }), { id: "sale-4", routed: false })
    }).pipe(Effect.provide(TestBus.layer.pipe(Around.provide(Shop))))
  )

  it.effect("passes what the publish itself fails with", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* EventBus).publish(Sold, { n: 1 }, { mandatory: true }))
      assert.instanceOf(error.reason, PublishReason.Unroutable)
    }).pipe(Effect.provide(TestBus.layer.pipe(Around.provide(noting("hook", [])))))
  )
})

describe("a hook that is wrong", () => {
  it("is refused when it is made", () => {
    const make = Around.make as (hooks: unknown) => unknown
    assert.throws(() => make({ handling: () => Effect.void }), /Around\.make: `name`/)
    assert.throws(() => make({ name: "a", handling: 7 }), /`handling`/)
    assert.throws(() => make({ name: "a", handle: () => Effect.void }), /`handle`/)
  })

  it.effect("fails the attempt when it returns no Effect", () => {
    const wrong = { name: "wrong", handling: async () => {}, publishing: undefined } as unknown as Around.Around
    const Seller = Subscriber.layer("around.wrong", {
      events: [Sold],
      handler: () => Effect.void,
      retry: Schedule.recurs(0)
    })
    return Effect.gen(function* () {
      const settlement = yield* (yield* TestBus).deliver("around.wrong", Sold, { n: 1 })
      assert.strictEqual(settlement._tag, "DeadLettered")
      assert.include(JSON.stringify(settlement), "returned a Promise")
    }).pipe(Effect.provide(Seller.pipe(Layer.provideMerge(TestBus.layer.pipe(Around.provide(wrong))))))
  })

  it("has a failure that names hook and cause", () => {
    const failure = new AroundFailure({ hook: "shop", cause: new Closed({ shop: "Ada's" }) })
    assert.strictEqual(failure.message, 'the hook "shop" around the handler failed: Ada\'s is closed')
  })
})
