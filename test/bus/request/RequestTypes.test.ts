/** The types of requests: what is asked, what is answered, and what is refused by the compiler. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { expectTypeOf } from "vitest"
import * as z from "zod"
import { Event, EventBus, type RequestError, type SubscribeError, Subscriber } from "../../../src/index.ts"
import { type NoSuchCourse, Ping, SeatsLeft } from "./contracts.ts"

class Seats extends Context.Service<Seats, { readonly of: (courseId: string) => number }>()("test/Seats") {}

const asking = Effect.gen(function* () {
  const bus = yield* EventBus
  // @ts-expect-error: the data of a request is that of its contract
  yield* bus.request(Ping, { n: "1" })
  return [yield* bus.request(SeatsLeft, { courseId: "c" }), yield* bus.request(Ping, { n: 1 })] as const
})

describe("the type of a request", () => {
  it("has the reply, the declared error and the error of the request", () => {
    type Answered = Effect.Success<typeof asking>
    expectTypeOf<Answered>().toEqualTypeOf<readonly [{ readonly seats: number; readonly until: Date }, number]>()
    expectTypeOf<Effect.Error<typeof asking>>().toEqualTypeOf<NoSuchCourse | RequestError>()
  })

  it("of a Standard Schema takes its input from the replier, and gives its output to the asker", () => {
    const Length = Event.request("course.length", {
      version: 1,
      data: z.object({ text: z.string() }),
      reply: z.object({ length: z.string().transform(Number) })
    })
    const replier = Subscriber.reply("length", {
      to: Length,
      handler: ({ data }) => Effect.succeed({ length: String(data.text.length) })
    })
    expectTypeOf(replier).toEqualTypeOf<Layer.Layer<never, SubscribeError, EventBus>>()
    expectTypeOf<(typeof Length)["Reply"]>().toEqualTypeOf<{ length: number }>()
    return Effect.gen(function* () {
      const { request } = yield* EventBus
      assert.deepStrictEqual(yield* request(Length, { text: "four" }), { length: 4 })
    }).pipe(Effect.provide(Layer.provideMerge(replier, EventBus.layerMemory())), Effect.runPromise)
  })

  it("asks a handler for the reply, and its layer for what the handler needs", () => {
    const replier = Subscriber.reply("seats", {
      to: SeatsLeft,
      handler: ({ data }) => Effect.map(Seats, (seats) => ({ seats: seats.of(data.courseId), until: new Date() })),
      retry: Schedule.recurs(1)
    })
    expectTypeOf<Layer.Services<typeof replier>>().toEqualTypeOf<EventBus | Seats>()
    // @ts-expect-error: a handler succeeds with the `reply` of its request
    Subscriber.reply("wrong", { to: SeatsLeft, handler: () => Effect.succeed({ seats: 1 }) })
    // @ts-expect-error: a handler returns an Effect
    Subscriber.reply("promise", { to: Ping, handler: async () => 1 })
  })

  it("is refused under a reserved name, and with a reply that is no schema", () => {
    const options = { version: 1, data: Schema.Struct({}), reply: Schema.Int }
    assert.throws(() => Event.request("bus.mine", options), "reserved")
    assert.throws(() => Event.request("mine", { ...options, reply: "a number" as never }), "neither a schema")
  })
})
