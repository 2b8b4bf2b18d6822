/** Contracts of Standard Schemas on the bus: publish, handle, dead letters, cache, and validators that answer later. */
import { assert, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import * as v from "valibot"
import { describe } from "vitest"
import { z } from "zod"
import { DeadLetters, Event, EventBus, EventCache, Reject, Subscriber } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"

const Placed = Event.make("shop.order.placed", {
  version: 2,
  data: z.object({
    orderId: z.string(),
    email: z.email().toLowerCase(),
    at: z.iso.datetime().transform((text) => new Date(text))
  }),
  key: (order) => order.email,
  sensitive: ["email"],
  previous: [
    {
      version: 1,
      data: v.object({ id: v.string(), email: v.string() }),
      up: (old) => ({ orderId: old.id, email: old.email, at: "1970-01-01T00:00:00.000Z" })
    }
  ]
})

/** Validators that wait until a test lets them answer, and which were asked. */
const answers = new Map<string, Deferred.Deferred<void>>()
const seen: Array<string> = []
const slow = (name: string): Promise<void> => {
  seen.push(name)
  const answer = answers.get(name)
  return answer === undefined ? Promise.resolve() : Effect.runPromise(Deferred.await(answer))
}
const Checked = Event.make("shop.order.checked", {
  version: 1,
  data: z.object({ orderId: z.string(), n: z.int() }).refine(async ({ n, orderId }) => {
    await slow(`${orderId}/${n}`)
    return n !== 13
  }, "never 13"),
  key: (order) => order.orderId
})

const handled: Array<unknown> = []
const Handler = Subscriber.layer("shipping.orders", {
  events: [Placed],
  handler: (event) =>
    event.data.orderId === "bad"
      ? Effect.fail(new Reject({ reason: `no ship for ${event.data.email}` }))
      : Effect.sync(() => handled.push([event.data, event.key, event.version]))
})
const inOrder: Array<number> = []
const Ordered = Subscriber.layer("shipping.checked", {
  events: [Checked],
  ordering: "key",
  deadline: "10 minutes",
  handler: ({ data }) => Effect.sync(() => inOrder.push(data.n))
})

const until = <R>(condition: Effect.Effect<boolean, unknown, R>, shown: () => unknown = () => undefined) =>
  Effect.gen(function* () {
    for (let n = 0; n < 3_000 && !(yield* condition); n++) yield* Effect.sleep("10 millis")
    assert.isTrue(yield* condition, JSON.stringify(shown()))
  })

const at = "2026-01-15T09:30:00.000Z"

const contract = Effect.gen(function* () {
  const bus = yield* EventBus
  const cache = yield* EventCache
  const letters = yield* DeadLetters
  handled.length = 0

  const input = { orderId: "o-1", email: "Ann@Shop.example", at, password: "never sent" }
  yield* bus.publish(Placed, input)
  yield* until(Effect.sync(() => handled.length === 1))
  const output = { orderId: "o-1", email: "ann@shop.example", at: new Date(at) }
  assert.deepStrictEqual(handled, [[output, "ann@shop.example", 2]])
  const last = yield* cache.last(Placed, "ann@shop.example")
  assert.deepStrictEqual(
    Option.map(last, ({ data }) => data),
    Option.some(output)
  )

  const refused = yield* Effect.flip(bus.publish(Placed, { orderId: "o-2", email: "ann-at-shop", at: "today" }))
  assert(refused.reason._tag === "Invalid")
  assert.deepStrictEqual(
    refused.reason.faults.map(({ path }) => path),
    ["data.email", "data.at"]
  )
  assert.notInclude(refused.message, "ann-at-shop")

  yield* bus.publish(Placed, { orderId: "bad", email: "bob@shop.example", at })
  yield* until(Effect.map(letters.count("shipping.orders"), (count) => count === 1))
  const [letter] = yield* letters.list("shipping.orders")
  assert.strictEqual(letter?.error.message, "no ship for <redacted>")
  const body: unknown = JSON.parse(letter?.body.toString() ?? "")
  assert.deepInclude(body, { subject: "bob@shop.example", data: { orderId: "bad", email: "bob@shop.example", at } })
  assert.strictEqual((yield* letters.replay("shipping.orders")).replayed, 1)
  yield* until(Effect.map(letters.list("shipping.orders"), ([again]) => again?.replays === 1))
})

/** Of another service: it has the contract of version 1. */
const Former = Event.make("shop.order.placed", { version: 1, data: Schema.Unknown })

const former = Effect.gen(function* () {
  handled.length = 0
  yield* (yield* EventBus).publish(Former, { id: "o-0", email: "Old@Shop.example" })
  yield* until(Effect.sync(() => handled.length === 1))
  const output = { orderId: "o-0", email: "old@shop.example", at: new Date(0) }
  assert.deepStrictEqual(handled, [[output, "old@shop.example", 1]])
  const letters = yield* DeadLetters
  const before = yield* letters.count("shipping.orders")
  yield* (yield* EventBus).publish(Former, { id: "o-0", email: 7 })
  yield* until(Effect.map(letters.count("shipping.orders"), (count) => count === before + 1))
  const found = yield* letters.list("shipping.orders", { reason: "Invalid" })
  assert.include(found.at(-1)?.error.message, "data.email")
})

const later = Effect.gen(function* () {
  const bus = yield* EventBus
  inOrder.length = 0
  seen.length = 0
  const refused = yield* Effect.flip(bus.publish(Checked, { orderId: "o-1", n: 13 }))
  assert(refused.reason._tag === "Invalid")
  assert.strictEqual(refused.reason.faults[0]?.expected, "never 13")

  // Interrupted while its validator has not answered: nothing is sent.
  answers.set("o-1/99", yield* Deferred.make<void>())
  const fiber = yield* Effect.forkChild(bus.publish(Checked, { orderId: "o-1", n: 99 }), { startImmediately: true })
  yield* Fiber.interrupt(fiber)
  const slowly = yield* Effect.flip(bus.publish(Checked, { orderId: "o-1", n: 99 }, { timeout: "50 millis" }))
  assert.match(slowly.message, /its validator took longer than 50/)
  answers.clear()

  assert.strictEqual(
    yield* bus.publishAll(
      Checked,
      [1, 2, 3].map((n) => ({ orderId: "o-1", n }))
    ),
    3
  )
  yield* until(
    Effect.sync(() => inOrder.length === 3),
    () => [inOrder, seen]
  )
  // Subscribers answer in another order than events arrived.
  const first = yield* Deferred.make<void>()
  const sent = yield* Effect.forkChild(bus.publish(Checked, { orderId: "o-1", n: 4 }), { startImmediately: true })
  answers.set("o-1/4", first)
  yield* Fiber.join(sent)
  yield* bus.publish(Checked, { orderId: "o-1", n: 5 })
  // By the publisher, and by the subscriber.
  yield* until(
    Effect.sync(() => seen.filter((name) => name === "o-1/5").length >= 2),
    () => [inOrder, seen]
  )
  yield* Deferred.succeed(first, undefined)
  yield* until(
    Effect.sync(() => inOrder.length === 5),
    () => [inOrder, seen]
  )
  assert.deepStrictEqual(inOrder, [1, 2, 3, 4, 5])
  answers.clear()
  const exit = yield* Effect.exit((yield* EventCache).last(Checked, "o-1"))
  assert.isTrue(Exit.isSuccess(exit), Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")
  if (Exit.isSuccess(exit))
    assert.deepStrictEqual(
      Option.map(exit.value, ({ data }) => data.n),
      Option.some(5)
    )
})

const cases = (bus: () => Layer.Layer<EventBus | EventCache | DeadLetters, unknown>): void => {
  const all = () => Layer.mergeAll(Handler, Ordered).pipe(Layer.provideMerge(bus()))
  it.live("publishes the input, handles the output, and hides what is sensitive", () =>
    contract.pipe(Effect.provide(Layer.suspend(all)))
  )
  it.live("reads older versions, and dead-letters what its schema refuses", () =>
    former.pipe(Effect.provide(Layer.suspend(all)))
  )
  it.live("waits for validators, in the order of keys", () => later.pipe(Effect.provide(Layer.suspend(all))))
}

describe("a Standard Schema on the embedded bus", () => cases(() => EventBus.layerMemory()))
describeLive("a Standard Schema on RabbitMQ", () =>
  cases(() =>
    EventBus.layerAmqp({ url: rabbitUrl(), redisUrl: redisUrl(), namespace: freshNamespace(), source: "shop" })
  )
)
