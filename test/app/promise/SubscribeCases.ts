/** Subscribing, dead letters and health with Promises, on any transport. Run by PromiseBus.test.ts. */
import { assert } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { it } from "vitest"
import {
  Batch,
  createEventBus,
  EventBus,
  isPublishError,
  type PromiseEventBus,
  Reject,
  SubscribeError
} from "../../../src/index.ts"
import { Counted, Echoed, sleep, until, take, all, numbers } from "./PromiseTools.ts"

export const subscribeCases = (options: () => EventBus.LiveOptions): void => {
  const open = () => createEventBus(options())

  it("shows failures, and counts, lists, replays and discards dead letters", async () => {
    await using bus = await open()
    let broken = true
    let handled = 0
    await bus.subscribe("promise.letters", {
      events: [Counted],
      handler: () => {
        if (broken) throw new Reject({ reason: "not today" })
        handled++
      }
    })
    const failures = bus.failures()[Symbol.asyncIterator]()
    let failed = 0
    const first = failures.next().finally(() => failed++)
    // The stream shows what fails from some moment on: the first failures may be before it.
    let published = 0
    while (failed === 0) {
      await bus.publish(Counted, { id: "a", n: published++ })
      await sleep(10)
    }
    const failure = (await first).value
    await failures.return?.()
    assert.isTrue(failure?._tag === "DeadLettered" && failure.subscriber === "promise.letters")
    const { deadLetters } = bus
    // All of them, so that none arrives after the discard.
    await until(async () => (await deadLetters.count("promise.letters")) === published)
    assert.isTrue((await deadLetters.list("promise.letters")).some(({ eventId }) => eventId === failure.id))
    await deadLetters.discard("promise.letters", { all: true })
    await until(async () => (await deadLetters.count("promise.letters")) === 0)
    const { id } = await bus.publish(Counted, { id: "a", n: 1 })
    await until(async () => (await deadLetters.count("promise.letters")) === 1)
    assert.deepStrictEqual(
      (await deadLetters.list("promise.letters")).map(({ eventId }) => eventId),
      [id]
    )
    broken = false
    assert.strictEqual((await deadLetters.replay("promise.letters", { ids: [id] })).replayed, 1)
    await until(() => handled === 1)
    broken = true
    await bus.publish(Counted, { id: "a", n: 2 })
    await until(async () => (await deadLetters.count("promise.letters")) === 1)
    assert.strictEqual((await deadLetters.discard("promise.letters", { all: true })).discarded, 1)
    assert.strictEqual(await deadLetters.count("promise.letters"), 0)
  })

  it("pauses, resumes and resizes a subscription, and shows it", async () => {
    await using bus = await open()
    const seen: Array<number> = []
    const subscription = await bus.subscribe("promise.control", {
      events: [Counted],
      handler: ({ data }) => void seen.push(data.n)
    })
    await subscription.pause()
    assert.strictEqual((await subscription.status())._tag, "Paused")
    await bus.publish(Counted, { id: "a", n: 1 })
    await until(async () => (await subscription.stats()).held === 1)
    assert.deepStrictEqual(seen, [])
    const changes = take(2, subscription.statusChanges())
    await sleep(20)
    await subscription.resume()
    assert.deepStrictEqual(
      (await changes).map(({ _tag }) => _tag),
      ["Paused", "Running"]
    )
    await until(() => seen.length === 1)
    await subscription.setConcurrency(3)
    assert.instanceOf(await subscription.setConcurrency(-1).catch((error: unknown) => error), SubscribeError)
    assert.instanceOf(await subscription.release("a").catch((error: unknown) => error), SubscribeError)
    assert.strictEqual((await subscription.tree()).name, "promise.control")
    assert.deepStrictEqual(
      (await bus.tree()).subscribers.map(({ name }) => name),
      ["promise.control"]
    )
    await subscription[Symbol.asyncDispose]()
    assert.deepStrictEqual((await bus.tree()).subscribers, [])
  })

  it("releases a parked key", async () => {
    await using bus = await open()
    let broken = true
    const seen: Array<number> = []
    await using subscription = await bus.subscribe("promise.parked", {
      events: [Counted],
      ordering: "key",
      onBlocked: "park",
      prefetch: 4,
      concurrency: 2,
      retry: Schedule.spaced("20 seconds"),
      handler: ({ data }) => {
        if (broken && data.n === 1) throw new Error("not yet")
        seen.push(data.n)
      }
    })
    await bus.publishAll(
      Counted,
      numbers(1, 4).map((n) => ({ id: "a", n }))
    )
    await until(async () => (await subscription.tree()).keys.some(({ head }) => head === "parked"))
    assert.deepStrictEqual(seen, [])
    broken = false
    await subscription.release("a")
    await until(() => seen.length === 4)
    assert.deepStrictEqual(seen, numbers(1, 4))
  })

  it("handles batches, with one signal for all", async () => {
    await using bus = await open()
    const sizes: Array<number> = []
    await bus.subscribe("promise.batches", {
      events: [Counted],
      batch: { size: 3, maxWait: "5 seconds" },
      handler: async (events, { deliveries, signal }) => {
        assert.isFalse(signal.aborted)
        assert.strictEqual(deliveries.length, events.length)
        sizes.push(events.length)
      }
    })
    await bus.publishAll(
      Counted,
      numbers(1, 7).map((n) => ({ id: `k-${n}`, n }))
    )
    await until(() => sizes.reduce((a, b) => a + b, 0) === 7)
    assert.include(sizes, 3)
  })

  it("what a handler publishes is caused by its event, and accepted while the bus drains", async () => {
    await using bus = await open()
    const started = Promise.withResolvers<void>()
    await bus.subscribe("promise.source", {
      events: [Counted],
      handler: async ({ data }) => {
        started.resolve()
        await sleep(100)
        await bus.publish(Echoed, { n: data.n })
      }
    })
    const { id } = await bus.publish(Counted, { id: "a", n: 7 })
    await started.promise
    const drained = bus.drain()
    const refused = await bus.publish(Counted, { id: "a", n: 8 }).catch((error: unknown) => error)
    assert.isTrue(isPublishError(refused))
    assert.isTrue(await drained)
    await until(async () => (await bus.last(Echoed)) !== undefined)
    const echo = await bus.last(Echoed)
    assert.deepStrictEqual([echo?.causationId, echo?.data.n], [id, 7])
  })

  it("runs an Effect that a handler returns, with the services of the bus, as part of the attempt", async () => {
    await using bus = await open()
    const ran: Array<number> = []
    const single = await bus.subscribe("promise.effect", {
      events: [Counted],
      retry: Schedule.recurs(0),
      handler: ({ data }) =>
        data.n === 2
          ? Effect.fail(new Reject({ reason: "not this one" }))
          : Effect.gen(function* () {
              ran.push(data.n)
              yield* (yield* EventBus).publish(Echoed, { n: data.n })
            })
    })
    const seen: Array<string | undefined> = []
    await bus.subscribe("promise.effect.batches", {
      events: [Counted],
      batch: { size: 2, maxWait: "50 millis" },
      retry: Schedule.recurs(0),
      handler: async (events) =>
        Batch.each(events, ({ data, id }) =>
          data.n === 2 ? Effect.fail(new Reject({ reason: "nor here" })) : Effect.sync(() => void seen.push(id))
        )
    })
    const { id } = await bus.publish(Counted, { id: "a", n: 1 })
    await bus.publish(Counted, { id: "a", n: 2 })
    await until(async () => (await bus.deadLetters.count("promise.effect")) === 1)
    await until(async () => (await bus.deadLetters.count("promise.effect.batches")) === 1)
    await until(async () => (await bus.last(Echoed)) !== undefined)
    assert.strictEqual((await bus.last(Echoed))?.causationId, id)
    assert.deepStrictEqual([ran, seen, (await single.stats()).handled], [[1], [id], 1])
  })

  it("fails the attempt of a handler that returns work which nothing runs", async () => {
    await using bus = await open()
    const returned = [
      (function* () {})(),
      (async function* () {})(),
      Stream.empty,
      Object.create(null, { [Symbol.for("effect/Effect")]: { value: {} } }),
      Object.defineProperty({}, "_tag", { value: "None" })
    ]
    const subscription = await bus.subscribe("promise.unrun", {
      events: [Counted],
      retry: Schedule.recurs(0),
      handler: ({ data }) => returned[data.n]
    })
    await bus.publishAll(
      Counted,
      returned.map((_, n) => ({ id: "a", n }))
    )
    await until(async () => (await bus.deadLetters.count("promise.unrun")) === 4)
    await until(async () => (await subscription.stats()).handled === 1)
    const [letter] = await bus.deadLetters.list("promise.unrun")
    assert.include(letter?.error.message, "which nothing runs: write an async function")
  })

  it("refuses options that do not exist or are of another kind, and a name in use, by names", async () => {
    await using bus = await open()
    // Callers without types.
    const subscribe = async (name: string, options: unknown) =>
      bus.subscribe(name, options as { events: []; handler: () => void }).then(
        () => "started",
        (error: unknown) => (error instanceof SubscribeError ? error.message : `no SubscribeError: ${String(error)}`)
      )
    const right = { events: [Counted], handler: () => {} }
    assert.include(await subscribe("promise.wrong", { ...right, retry: 3 }), "`retry`: 3 ")
    assert.include(await subscribe("promise.wrong", { ...right, retries: 3 }), "Did you mean `retry`?")
    assert.include(await subscribe("promise.wrong", { events: [Counted] }), "`handler`")
    assert.include(await subscribe("promise.wrong", { ...right, handler: 3 }), "`handler`: 3 ")
    assert.include(await subscribe("promise.wrong", undefined), "`options`: undefined ")
    const ephemeral = await bus.subscribeEphemeral(undefined as never).catch((error: unknown) => error)
    assert.instanceOf(ephemeral, SubscribeError)
    assert.strictEqual(await subscribe("promise.named", right), "started")
    assert.strictEqual(await subscribe("promise.named", right), "started")
    assert.include(await subscribe("promise.named", { ...right, handler: () => {} }), "another handler")
    assert.include(await subscribe("promise.named", { ...right, events: [Echoed] }), "other events")
  })

  it("subscribes for this process alone", async () => {
    await using bus = await open()
    const seen: Array<number> = []
    const gaps: Array<string> = []
    await using subscription = await bus.subscribeEphemeral({
      events: [Counted],
      handler: ({ data }) => void seen.push(data.n),
      onGap: () => void gaps.push("gap")
    })
    await bus.publish(Counted, { id: "a", n: 1 })
    await until(() => seen.length === 1)
    assert.isTrue(await subscription.drain())
    assert.deepStrictEqual(gaps, [])
  })

  it("reports health, and ends iterations when it closes", async () => {
    const bus: PromiseEventBus = await open()
    assert.strictEqual((await bus.health()).status, "up")
    assert.isBoolean(await bus.ready())
    const endings = Promise.all([all(bus.failures()), all(bus.stream([Counted])), all(bus.watch(Counted, "nobody"))])
    await sleep(50)
    await bus.close()
    assert.deepStrictEqual(await endings, [[], [], []])
  })
}
