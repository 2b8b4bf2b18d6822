/** Handlers: their errors and services are inferred, and what returns no Effect is refused with a remedy. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, type Layer, Schedule, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { expectTypeOf } from "vitest"
import {
  createEventBus,
  Event,
  EventBus,
  type Subscriber as Types,
  Subscriber,
  SubscribeError
} from "../../../src/index.ts"
import { Reject } from "../../../src/bus/subscriber/HandlerError.ts"
import * as Stage from "../Stage.ts"

class Full extends Data.TaggedError("Full")<{ readonly size: number }> {}
class Closed extends Data.TaggedError("Closed")<{ readonly since: string }> {}
class Mailer extends Context.Service<Mailer, { readonly mail: Effect.Effect<void, Full> }>()("test/Mailer") {}
class Printer extends Context.Service<Printer, { readonly print: Effect.Effect<void, Closed> }>()("test/Printer") {}

const Moved = Event.make("types.moved", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
const Sold = Event.make("types.sold", { version: 1, data: Schema.Struct({ price: Schema.Finite }) })
type Failures = "Full" | "Closed" | "HandlerTimeout" | "HandlerDefect" | "AroundFailure"

/** Several Effects, each with an error and a service of its own. */
const branches = (n: number) => {
  if (n === 1) return Effect.fail(new Full({ size: n }))
  if (n === 2) return Effect.fail(new Closed({ since: "today" }))
  if (n === 3) return Effect.fail(new Reject({ reason: "three" }))
  return n === 4 ? Effect.flatMap(Mailer, ({ mail }) => mail) : Effect.flatMap(Printer, ({ print }) => print)
}

describe("the type of a handler", () => {
  it("has every error and service of a handler that returns several Effects, without annotations", () => {
    const layer = Subscriber.layer("types.union", {
      events: [Moved],
      handler: (event) => branches(event.data.n),
      retry: (error) => {
        expectTypeOf(error._tag).toEqualTypeOf<Failures>()
        return Schedule.recurs(1)
      }
    })
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<never, SubscribeError, EventBus | Mailer | Printer>>()
    const ephemeral = Subscriber.layerEphemeral({ events: [Moved], handler: ({ data }) => branches(data.n) })
    expectTypeOf(ephemeral).toEqualTypeOf<Layer.Layer<never, SubscribeError, EventBus | Mailer | Printer>>()
    const batched = Subscriber.layer("types.batched", {
      events: [Moved, Sold],
      batch: { size: 3, maxWait: "1 second" },
      handler: (events, deliveries) => {
        expectTypeOf(events[0]?.type).toEqualTypeOf<"types.moved" | "types.sold" | undefined>()
        return branches(events.length + deliveries.length)
      },
      retry: Schedule.exponential("1 second").pipe(
        Schedule.while(({ input }: { readonly input: { readonly _tag: Failures } }) => input._tag !== "Full")
      )
    })
    expectTypeOf(batched).toEqualTypeOf<Layer.Layer<never, SubscribeError, EventBus | Mailer | Printer>>()
  })

  it("is inferred the same by bus.subscribe and createEventBus", () => {
    const subscribed = Effect.flatMap(EventBus, (bus) =>
      bus.subscribe("types.bus", {
        events: [Moved],
        handler: (event) => branches(event.data.n),
        retry: (error) => {
          expectTypeOf(error._tag).toEqualTypeOf<Failures>()
          return Schedule.recurs(1)
        }
      })
    )
    expectTypeOf<Extract<Effect.Services<typeof subscribed>, Mailer | Printer>>().toEqualTypeOf<Mailer | Printer>()
    const promised = async () => {
      await using bus = await createEventBus({ url: "memory://" })
      await bus.subscribe("types.promise", {
        events: [Moved, Sold],
        handler: (event) => (event.type === "types.moved" ? branches(event.data.n) : Promise.resolve(event.data.price)),
        retry: Schedule.recurs(1)
      })
    }
    assert.isFunction(promised)
  })

  it("needs a database with an inbox, and its retries see what that fails with", () => {
    const layer = Subscriber.layer("types.inbox", {
      events: [Moved],
      inbox: true,
      handler: (event) => branches(event.data.n),
      retry: (error) => {
        expectTypeOf(error._tag).toEqualTypeOf<Failures | "OutboxError" | "SqlError">()
        return Schedule.recurs(1)
      }
    })
    expectTypeOf(layer).toEqualTypeOf<
      Layer.Layer<never, SubscribeError, EventBus | Mailer | Printer | SqlClient.SqlClient>
    >()
    const without = Subscriber.layer("types.without", { events: [Moved], inbox: false, handler: () => Effect.void })
    expectTypeOf(without).toEqualTypeOf<Layer.Layer<never, SubscribeError, EventBus>>()
    const batched = () =>
      Subscriber.layer("types.inbox-batch", {
        events: [Moved],
        // @ts-expect-error a transaction fails as a whole, the events of a batch one by one
        inbox: true,
        batch: { size: 2, maxWait: "1 second" },
        handler: () => Effect.void
      })
    assert.isFunction(batched)
  })

  it("takes options whose type is written out", () => {
    const options: Types.Options<typeof Moved, Full | Closed, Mailer> = {
      events: [Moved],
      handler: () => Effect.flatMap(Mailer, ({ mail }) => mail)
    }
    expectTypeOf(Subscriber.layer("types.options", options)).toEqualTypeOf<
      Layer.Layer<never, SubscribeError, EventBus | Mailer>
    >()
  })

  it("refuses functions that return no Effect", () => {
    const refused = [
      Subscriber.layer("types.async", {
        events: [Moved],
        // @ts-expect-error not a Promise: wrap it in Effect.tryPromise
        handler: async (event) => event.data.n
      }),
      Subscriber.layer("types.async-batch", {
        events: [Moved],
        batch: { size: 3, maxWait: "1 second" },
        // @ts-expect-error not a Promise
        handler: async (events) => events.length
      }),
      Subscriber.layer("types.sometimes", {
        events: [Moved],
        // @ts-expect-error sometimes a Promise
        handler: (event) => (event.data.n > 1 ? Promise.resolve() : Effect.void)
      }),
      Subscriber.layer("types.nothing", {
        events: [Moved],
        // @ts-expect-error nothing
        handler: () => {}
      })
    ]
    assert.lengthOf(refused, 4)
    type Remedy = Parameters<typeof Subscriber.layer<typeof Moved, Promise<number>>>[1]["handler"]
    expectTypeOf<Remedy>().toExtend<`${string}Effect.tryPromise(() => ...), or use createEventBus`>()
  })
})

describe("a handler that TypeScript has not seen", () => {
  // A caller without types.
  const untyped = (handler: unknown) => handler as () => Effect.Effect<void>

  for (const [kind, handler, words] of [
    ["an async function", async () => {}, ["async function", "Effect.tryPromise", "createEventBus"]],
    ["a generator function", function* () {}, ["generator function", "Effect.gen"]],
    ["an async generator function", async function* () {}, ["generator function", "Effect.gen"]]
  ] as const) {
    it.effect(`is refused as ${kind}, before anything is declared`, () =>
      Effect.gen(function* () {
        const { bus } = yield* Stage.make
        for (const batch of [undefined, { size: 2, maxWait: "1 second" } as const]) {
          const options = batch === undefined ? { events: [Moved] } : { events: [Moved], batch }
          const error = yield* Effect.flip(bus.subscribe("untyped", { ...options, handler: untyped(handler) }))
          assert.instanceOf(error, SubscribeError)
          assert.strictEqual(error.reason._tag === "Invalid" ? error.reason.option : undefined, "handler")
          for (const word of words) assert.include(error.message, word)
        }
      })
    )
  }

  for (const [kind, returned, words] of [
    ["a Promise that rejects", () => Promise.reject(new Error("unseen")), ["Promise", "Effect.tryPromise"]],
    ["nothing", () => undefined, ["no Effect", "Effect.void"]]
  ] as const) {
    for (const batch of [undefined, { size: 1, maxWait: "1 second" } as const]) {
      it.effect(`P10: fails the attempt when it returns ${kind}${batch === undefined ? "" : ", in a batch"}`, () =>
        Effect.gen(function* () {
          const { bus, letters } = yield* Stage.make
          const options = batch === undefined ? {} : { batch }
          yield* bus.subscribe("untyped", {
            events: [Moved],
            retry: Schedule.recurs(0),
            ...options,
            handler: untyped(returned)
          })
          yield* bus.publish(Moved, { n: 1 })
          yield* Stage.pass(1_000)
          const [letter] = yield* letters.list("untyped")
          assert.deepInclude(letter, { reason: "Exhausted", attempts: 1 })
          for (const word of words) assert.include(letter?.error.message, word)
        })
      )
    }
  }
})
