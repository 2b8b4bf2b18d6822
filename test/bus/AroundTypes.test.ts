/** Hooks keep the types of what they fail with and need; a bus without hooks runs its own functions. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, type Layer, Result, Schema, type Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { expectTypeOf } from "vitest"
import { Around, Event, EventBus, EventBusLive, type EventCache } from "../../src/index.ts"
import * as Surround from "../../src/bus/Surround.ts"
import type { Provided } from "../../src/bus/ProvidedHooks.ts"
import * as SubscriberSettings from "../../src/bus/subscriber/SubscriberSettings.ts"
import { TestBus } from "../../src/testing/index.ts"

class Closed extends Data.TaggedError("Closed")<{ readonly shop: string }> {}
class Unpaid extends Data.TaggedError("Unpaid")<{ readonly due: number }> {}
class Shop extends Context.Service<Shop, { readonly open: Effect.Effect<void, Closed> }>()("test/Shop") {}
class Till extends Context.Service<Till, { readonly paid: Effect.Effect<void, Unpaid> }>()("test/Till") {}

const Both = Around.make({
  name: "both",
  handling: (handle) => Effect.flatMap(Shop, ({ open }) => Effect.andThen(open, handle)),
  publishing: (publish, { call }) =>
    call === "publish" ? Effect.flatMap(Till, ({ paid }) => Effect.andThen(publish, paid)) : publish
})

describe("the type of a hook", () => {
  it("has the errors and services of both sides, and not those of what it surrounds", () => {
    expectTypeOf(Both).toEqualTypeOf<Around.Around<Closed | Unpaid, Shop | Till>>()
    expectTypeOf(Around.make({ name: "plain", handling: (handle) => handle })).toEqualTypeOf<Around.Around<never>>()
    expectTypeOf(
      Around.make({ name: "own", handling: (handle) => Effect.mapError(handle, () => new Closed({ shop: "a" })) })
    ).toEqualTypeOf<Around.Around<Closed>>()
    expectTypeOf(Around.errorOf(Both, new Error("another"))).toEqualTypeOf<Closed | Unpaid | undefined>()
  })

  it("gives its services to the layer of the bus, and the error of its making", () => {
    const bus = EventBus.layerMemory().pipe(Around.provide(Both))
    expectTypeOf<Layer.Services<typeof bus>>().toEqualTypeOf<Shop | Till>()
    expectTypeOf<EventBus>().toExtend<Layer.Success<typeof bus>>()
    const Transaction = Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.void)
      const sql = yield* SqlClient.SqlClient
      yield* sql`SELECT 1`
      return Around.make({ name: "transaction", handling: (handle) => sql.withTransaction(handle) })
    })
    expectTypeOf(Transaction).toEqualTypeOf<
      Effect.Effect<Around.Around<SqlError.SqlError>, SqlError.SqlError, SqlClient.SqlClient | Scope.Scope>
    >()
    const live = EventBusLive.pipe(Around.provide(Transaction))
    expectTypeOf<Layer.Services<typeof live>>().toEqualTypeOf<SqlClient.SqlClient>()
    expectTypeOf<SqlError.SqlError>().toExtend<Layer.Error<typeof live>>()
    const tested = TestBus.layer.pipe(Around.provide(Both))
    expectTypeOf<Layer.Services<typeof tested>>().toEqualTypeOf<Shop | Till>()
    expectTypeOf<EventCache>().toExtend<Layer.Success<typeof live>>()
  })

  it("refuses a hook whose failure is not one of its own, and one that returns no Effect", () => {
    // @ts-expect-error a failure of what is surrounded cannot be made
    const made: Around.Passed = { _tag: "Passed" }
    // @ts-expect-error a Promise is no Effect
    assert.isDefined(Around.make({ name: "promise", handling: async () => made }))
  })
})

describe("a bus without hooks", () => {
  const Sold = Event.make("around.sold", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
  const provided = (around: Around.Around<unknown, unknown>): Provided => ({ around, context: Context.empty() })
  const onlyPublishing = provided(Around.make({ name: "p", publishing: (publish) => publish }))
  const onlyHandling = provided(Around.make({ name: "h", handling: (handle) => handle }))
  const settled = Result.getOrThrow(
    SubscriberSettings.settle("around.none", { events: [Sold], handler: () => Effect.void }, false)
  )

  it("has the subscribers and the publisher that it would have had: nothing of this runs for an event", () => {
    for (const hooks of [[], [onlyPublishing]]) assert.strictEqual(Surround.subscriber(settled, hooks), settled)
    const surrounded = Surround.subscriber(settled, [onlyHandling])
    assert.notStrictEqual(surrounded.plan.handler, settled.plan.handler)
  })

  it.effect("publishes by the publisher's own functions", () =>
    Effect.gen(function* () {
      const { publish, publishAll } = yield* EventBus
      for (const hooks of [[], [onlyHandling]]) {
        const same = Surround.publisher({ publish, publishAll }, hooks, () => "id")
        assert.strictEqual(same.publish, publish)
        assert.strictEqual(same.publishAll, publishAll)
      }
      const other = Surround.publisher({ publish, publishAll }, [onlyPublishing], () => "id")
      assert.notStrictEqual(other.publish, publish)
    }).pipe(Effect.provide(TestBus.layer))
  )
})
