/** What a request is bounded by: headers of strangers, ids, the number that waits, and answers that nobody can read. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Metric, Schema } from "effect"
import { Around, BrokerError, BrokerReason, Event, EventBus, RequestError, Subscriber } from "../../../src/index.ts"
import { Broker } from "../../../src/bus/port/Broker.ts"
import * as Reply from "../../../src/bus/request/Reply.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { until, untilEffect } from "../../../src/ports/conformance/setup/Waiting.ts"
import { Ping } from "./contracts.ts"

const reasonOf = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(self), (error) => {
    assert.instanceOf(error, RequestError)
    return error.reason
  })

describe("the headers of a request", () => {
  const address = Reply.newAddress()

  it("P15: name an asker in one form alone, and nobody waits for longer than a day", () => {
    const asker = (to: unknown, end: unknown) => Reply.askerOf({ "reply-to": to, "reply-until": end }, 1_000)
    assert.deepStrictEqual(asker(address, 2_000), { address, until: 2_000 })
    assert.deepStrictEqual(asker(address, Number.MAX_SAFE_INTEGER)?.until, 1_000 + 24 * 60 * 60 * 1000)
    for (const to of [`${address}.x`, "#", "*", address.toUpperCase(), address.slice(1), `${address}0`, 7, undefined])
      assert.isUndefined(asker(to, 2_000), String(to))
    for (const end of ["2000", Number.NaN, Number.POSITIVE_INFINITY, undefined, {}])
      assert.isUndefined(asker(address, end), String(end))
  })

  it.live("P15: of a stranger without a time or an address are those of a plain event", () => {
    const handled: Array<number> = []
    const Silent = Subscriber.reply("silent", {
      to: Ping,
      handler: ({ data: { n } }) => Effect.sync(() => (handled.push(n), n))
    })
    return Effect.gen(function* () {
      const { publish } = yield* EventBus
      yield* publish(Ping, { n: 1 }, { headers: { "reply-to": "bus.event.dead-lettered", "reply-until": 1e15 } })
      yield* publish(Ping, { n: 2 }, { headers: { "reply-to": Reply.newAddress() } })
      yield* until(
        () => handled.join(),
        () => handled.length === 2
      )
    }).pipe(Effect.provide(Layer.provideMerge(Silent, EventBus.layerMemory())))
  })
})

describe("a request", () => {
  it.live("carries actor, tenant and baggage as every publish does", () => {
    const Knowing = Subscriber.reply("knowing", {
      to: Ping,
      handler: ({ actor, tenant }, { baggage }) =>
        Effect.succeed(actor?.id === "u-1" && tenant === "acme" && baggage?.text === "plan=gold" ? 1 : 0)
    })
    return Effect.gen(function* () {
      const { request } = yield* EventBus
      const options = { actor: { id: "u-1", role: "student" }, tenant: "acme", baggage: { plan: "gold" } }
      assert.strictEqual(yield* request(Ping, { n: 1 }, options), 1)
      assert.strictEqual(yield* request(Ping, { n: 1 }), 0)
    }).pipe(Effect.provide(Layer.provideMerge(Knowing, EventBus.layerMemory())))
  })

  it.live("whose answer breaks the contract of its asker fails as InvalidReply", () => {
    const Other = Event.request("course.ping", { version: 1, data: Schema.Unknown, reply: Schema.String })
    const Odd = Subscriber.reply("odd", { to: Other, handler: () => Effect.succeed("one") })
    return Effect.gen(function* () {
      const reason = yield* reasonOf((yield* EventBus).request(Ping, { n: 1 }))
      assert(reason._tag === "InvalidReply", reason.message)
      assert.strictEqual(reason.subscriber, "odd")
      assert.notInclude(reason.message, "one")
    }).pipe(Effect.provide(Layer.provideMerge(Odd, EventBus.layerMemory())))
  })

  it.live("can be repeated with its id once it has ended, and not before; what came too late is counted", () =>
    Effect.gen(function* () {
      const free = yield* Deferred.make<void>()
      const Slow = Subscriber.reply("slow", {
        to: Ping,
        handler: ({ data: { n } }) => Effect.as(n === 1 ? Effect.never : Deferred.await(free), n)
      })
      const registry = new Map()
      yield* Effect.gen(function* () {
        const { request } = yield* EventBus
        const late = Effect.map(Metric.snapshot, (all) =>
          all
            .filter(({ id }) => id === "eventbus.request.late")
            .reduce((sum, { state }) => sum + ("count" in state ? Number(state.count) : 0), 0)
        )
        assert.strictEqual(
          (yield* reasonOf(request(Ping, { n: 1 }, { id: "same", deadline: "1 second" })))._tag,
          "NoReply"
        )
        yield* untilEffect(
          () => "the interrupted handler is not counted",
          Effect.map(late, (count) => count >= 1)
        )
        const again = yield* Effect.forkChild(request(Ping, { n: 2 }, { id: "same" }), { startImmediately: true })
        const twice = yield* reasonOf(request(Ping, { n: 3 }, { id: "same" }))
        assert(twice._tag === "Invalid" && twice.option === "id", twice.message)
        yield* Deferred.succeed(free, undefined)
        assert.strictEqual(yield* Fiber.join(again), 2)
        const outcomes = (yield* Metric.snapshot).flatMap(({ attributes, id }) =>
          id === "eventbus.request.duration" ? [attributes?.["eventbus.outcome"]] : []
        )
        assert.sameMembers(outcomes, ["NoReply", "Invalid", "replied"])
      }).pipe(
        Effect.provide(Layer.provideMerge(Slow, EventBus.layerMemory())),
        Effect.provideService(Metric.MetricRegistry, registry)
      )
    })
  )

  it.live("P13: is one of at most 10,000 that wait in a process", () => {
    let sent = 0
    const Stuck = Around.make({ name: "stuck", publishing: () => (sent++, Effect.never) })
    return Effect.gen(function* () {
      const { request } = yield* EventBus
      const ask = Effect.forkChild(request(Ping, { n: 1 }, { deadline: "10 minutes" }), { startImmediately: true })
      const asked = yield* Effect.forEach(Array.from({ length: 10_001 }), () => ask)
      yield* until(
        () => `${sent} were sent`,
        () => sent === 10_000
      )
      const reason = yield* reasonOf(request(Ping, { n: 1 }, { deadline: "50 millis" }))
      assert(reason._tag === "Unavailable", reason.message)
      assert.include(reason.message, "10000 requests of this process wait")
      assert.strictEqual(sent, 10_000)
      const [first] = asked
      assert(first !== undefined)
      yield* Fiber.interrupt(first)
      yield* until(
        () => `${sent} were sent`,
        () => sent === 10_001
      )
      yield* Fiber.interruptAll(asked)
    }).pipe(Effect.provide(EventBus.layerMemory().pipe(Around.provide(Stuck))))
  })

  it.live("without a queue for its answers is not sent, and says why", () => {
    const refusal = new BrokerError({
      reason: new BrokerReason.BrokerRefused({ operation: "declaring", detail: "no more queues" })
    })
    const Without = Layer.provide(
      Layer.effect(
        Broker,
        Effect.map(Broker, (broker) => ({ ...broker, consumeEphemeral: () => Effect.fail(refusal) }))
      ),
      MemoryBroker.layer({ namespace: "bounds" })
    )
    const bus = Layer.provide(EventBus.layer, Layer.merge(Without, MemoryCache.layer))
    return Effect.gen(function* () {
      const reason = yield* reasonOf((yield* EventBus).request(Ping, { n: 1 }, { deadline: "200 millis" }))
      assert(reason._tag === "Unavailable", reason.message)
      assert.include(reason.message, "no more queues")
      assert.include(reason.message, "nothing was sent")
    }).pipe(Effect.provide(bus))
  })
})
