/** Events that no process knows: how long they wait, what that costs, and what becomes of them (P3, P5, P9). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule, Schema } from "effect"
import { Broker } from "../../../src/bus/port/Broker.ts"
import * as Event from "../../../src/event/Event.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { send, sendRaw } from "../../../src/ports/conformance/setup/RawMessage.ts"
import { fresh, keyed, numbered, Numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as Stage from "../Stage.ts"

/** The binding of an event outlives the process that asked for it. */
const bindAndLeave = Effect.fnUntraced(function* (
  connect: Effect.Success<typeof Stage.make>["connect"],
  name: string,
  events: ReadonlyArray<Event.Any>,
  ordering: "none" | "key"
) {
  const process = yield* start(connect())
  yield* process.subscribe(name, { events, ordering, handler: () => Effect.void })
  yield* process.stop
})

describe("events that no process knows", () => {
  it.effect(
    "P9, N16, M1: a newer version is put off seven times in an hour, then dead-lettered as UnknownVersion",
    () =>
      Effect.gen(function* () {
        const { bus, letters } = yield* Stage.make
        const event = fresh("versioned")
        const name = fresh()
        const Old = Event.make(event, { version: 1, data: Numbered })
        const New = Event.make(event, { version: 2, data: Schema.Struct({ n: Schema.Finite, unit: Schema.String }) })
        const subscription = yield* bus.subscribe(name, { events: [Old], handler: () => Effect.void })
        const publishing = yield* bus
          .publish(New, { n: 1, unit: "points" })
          .pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.turns
        const { id } = yield* Fiber.join(publishing)
        yield* Stage.pass(Stage.minutes(59), 1_000)
        assert.deepStrictEqual(yield* letters.list(name), [])
        assert.strictEqual((yield* subscription.stats).postponed, 7)
        yield* Stage.pass(Stage.minutes(2), 1_000)
        const [letter] = yield* letters.list(name)
        assert.deepInclude(letter, { reason: "UnknownVersion", eventId: id, eventType: event, attempts: 0 })
        assert.include(letter?.error.message, "version 2")
      })
  )

  it.effect(
    "P3, P9: a type that nobody asks for any more is dead-lettered as UnknownType after an hour, replayable",
    () =>
      Effect.gen(function* () {
        const { bus, connect, letters } = yield* Stage.make
        const [Kept, Dropped] = [numbered(), numbered()]
        const name = fresh()
        yield* bindAndLeave(connect, name, [Kept, Dropped], "none")
        const subscription = yield* bus.subscribe(name, { events: [Kept], handler: () => Effect.void })
        yield* bus.publish(Dropped, { n: 1 }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.pass(Stage.minutes(61), 1_000)
        const [letter] = yield* letters.list(name)
        assert.deepInclude(letter, { reason: "UnknownType", eventType: Dropped.name, attempts: 0 })
        assert.include(letter?.error.message, "retired")
        assert.deepInclude(yield* subscription.stats, { postponed: 7, skipped: 0, deadLettered: 1 })
        yield* subscription.drain
        const book = Stage.makeBook()
        yield* bus.subscribe(name, { events: [Kept, Dropped], handler: book.note })
        assert.strictEqual((yield* letters.replay(name, { rate: 100 })).replayed, 1)
        yield* Stage.pass(1_000)
        assert.strictEqual(book.entries.length, 1)
      })
  )

  for (const [onBlocked, minutes] of [
    ["dead-letter", 10],
    ["park", 60]
  ] as const) {
    it.effect(`P5, P6: by key its lane goes on after ${minutes} minutes without it; onBlocked "${onBlocked}"`, () =>
      Effect.gen(function* () {
        const { bus, connect, letters } = yield* Stage.make
        const [Kept, Dropped] = [keyed(), keyed()]
        const name = fresh()
        yield* bindAndLeave(connect, name, [Kept, Dropped], "key")
        const book = Stage.makeBook()
        const subscription = yield* bus.subscribe(name, {
          events: [Kept],
          ordering: "key",
          onBlocked,
          handler: book.note
        })
        const publish = (event: typeof Kept, n: number, k: string) =>
          bus.publish(event, { n, k }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* publish(Dropped, 0, "a")
        yield* Stage.turns
        yield* publish(Kept, 1, "a")
        yield* publish(Kept, 2, "b")
        // Parked behind the first one, it has as much time from the moment that it is the first.
        yield* publish(Dropped, 3, "a")
        yield* publish(Kept, 4, "a")
        yield* Stage.pass(Stage.minutes(minutes - 1), 1_000)
        assert.deepStrictEqual(
          book.entries.map(({ n }) => n),
          [2]
        )
        assert.deepStrictEqual(yield* letters.list(name), [])
        yield* Stage.pass(Stage.minutes(2), 1_000)
        assert.deepStrictEqual(
          book.entries.map(({ attempt, n }) => [n, attempt]),
          [
            [2, 1],
            [1, 1]
          ]
        )
        const list = yield* letters.list(name)
        assert.lengthOf(list, 1)
        assert.deepInclude(list[0], { reason: "UnknownType", eventType: Dropped.name, attempts: 0 })
        yield* Stage.pass(Stage.minutes(minutes + 1), 1_000)
        assert.lengthOf(yield* letters.list(name), 2)
        assert.deepStrictEqual(
          book.entries.map(({ n }) => n),
          [2, 1, 4]
        )
        assert.deepInclude(yield* subscription.stats, { parked: 0, skipped: 0, deadLettered: 2 })
      })
    )
  }

  it.effect(
    "P3, P5, C15: two processes that do not know it pass the role on, and no other event waits or is given up",
    () =>
      Effect.gen(function* () {
        const { bus, connect, letters, server } = yield* Stage.make
        const [Kept, Dropped] = [keyed(), keyed()]
        const name = fresh()
        yield* bindAndLeave(connect, name, [Kept, Dropped], "key")
        const clock = yield* Effect.clockWith(Effect.succeed)
        let mostReturns = 0
        const watched = Layer.effect(
          Broker,
          Effect.map(Broker, (broker) =>
            Broker.of({
              ...broker,
              consume: (options) =>
                broker.consume({
                  ...options,
                  onDelivery: (delivery) => {
                    if (options.queue !== "parked") mostReturns = Math.max(mostReturns, delivery.deliveryCount)
                    options.onDelivery(delivery)
                  }
                })
            })
          )
        ).pipe(Layer.provide(MemoryBroker.layerOf(server, { namespace: "test" })))
        const handledAt = new Map<number, number>()
        const publishedAt = new Map<number, number>()
        const handledBy = new Set<string>()
        for (const own of ["one", "two"]) {
          const process = yield* Stage.runningOut(start(processOver(Layer.merge(watched, MemoryCache.layer))))
          yield* process.subscribe(name, {
            events: [Kept],
            ordering: "key",
            concurrency: 2,
            retry: Schedule.spaced("2 minutes"),
            handler: ({ data: { n } }, { attempt }) =>
              Effect.andThen(
                Effect.sleep(400),
                Effect.suspend(() => {
                  if (n === 7 && attempt < 3) return Effect.fail("not yet")
                  handledBy.add(own)
                  handledAt.set(n, clock.currentTimeMillisUnsafe())
                  return Effect.void
                })
              )
          })
        }
        yield* bus.publish(Dropped, { n: 0, k: "unknown" }).pipe(Effect.forkChild({ startImmediately: true }))
        for (let n = 1; n <= 480; n++) {
          publishedAt.set(n, clock.currentTimeMillisUnsafe())
          yield* bus.publish(Kept, { n, k: `k${n}` }).pipe(Effect.forkChild({ startImmediately: true }))
          // Four at once, so that some wait in the window.
          if (n % 4 === 0) yield* Stage.pass(1_000, 200)
        }
        yield* Stage.pass(Stage.minutes(5), 500)
        for (const [n, at] of publishedAt)
          if (n !== 7) assert.isAtMost((handledAt.get(n) ?? Infinity) - at, 2_500, `${n}`)
        assert.isAtLeast((handledAt.get(7) ?? 0) - (publishedAt.get(7) ?? 0), Stage.minutes(4))
        assert.isAtMost(mostReturns, 1)
        assert.deepStrictEqual([...handledBy].toSorted(), ["one", "two"])
        assert.deepStrictEqual(yield* letters.list(name), [])
      })
  )
  it.effect("P6: a copy that is stored while the parked queue is inspected for the first time keeps its lane", () =>
    Effect.gen(function* () {
      const { bus, connect, server } = yield* Stage.make
      const [Kept, Dropped] = [keyed(), keyed()]
      const name = fresh()
      yield* bindAndLeave(connect, name, [Kept, Dropped], "key")
      const slow = Layer.effect(
        Broker,
        Effect.map(Broker, (broker) =>
          Broker.of({
            ...broker,
            // What it counted is old when the answer comes.
            depth: (subscriber, kind) =>
              Effect.tap(broker.depth(subscriber, kind), () => (kind === "parked" ? Stage.turns : Effect.void))
          })
        )
      ).pipe(Layer.provide(MemoryBroker.layerOf(server, { namespace: "test" })))
      const process = yield* Stage.runningOut(start(processOver(Layer.merge(slow, MemoryCache.layer))))
      const book = Stage.makeBook()
      const { stats } = yield* process.subscribe(name, { events: [Kept], ordering: "key", handler: book.note })
      yield* bus.publish(Dropped, { n: 0, k: "a" }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* bus.publish(Kept, { n: 1, k: "a" }).pipe(Effect.forkChild({ startImmediately: true }))
      for (let round = 0; round < 10; round++) yield* Stage.turns
      assert.deepStrictEqual(book.entries, [])
      assert.strictEqual((yield* stats).parked, 2)
    })
  )

  it.effect("a control message of a later release is acknowledged, and waits for nobody", () =>
    Effect.gen(function* () {
      const { broker, bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const { stats } = yield* bus.subscribe(name, { events: [Changed], ordering: "key", handler: () => Effect.void })
      const sending = send(broker, {
        to: { _tag: "Subscriber", name, seconds: 0 },
        key: undefined,
        body: Buffer.from("{}"),
        properties: {
          messageId: "later-1",
          type: "bus.subscriber.later",
          timestamp: 0,
          appId: name,
          contentType: "application/json"
        },
        headers: { "bus-control": "later" }
      })
      yield* Effect.forkChild(sending, { startImmediately: true })
      yield* Stage.pass(Stage.minutes(11), 1_000)
      assert.deepInclude(yield* stats, { held: 0, parked: 0, postponed: 0, deadLettered: 0 })
      assert.deepStrictEqual(yield* letters.list(name), [])
      assert.strictEqual((yield* broker.depth(name)).ready, 0)
    })
  )

  it.effect("P8, P9: the dead letter of a CloudEvent that is refused has the id of its body", () =>
    Effect.gen(function* () {
      const { broker, bus, letters } = yield* Stage.make
      const Sent = numbered()
      const name = fresh()
      yield* bus.subscribe(name, { events: [Sent], handler: () => Effect.void })
      const sent = JSON.stringify({ specversion: "1.0", id: "e-7", source: "/shop", type: Sent.name, time: "today" })
      yield* Effect.forkChild(sendRaw(broker, Sent.name, sent, {}, { messageId: "" }), { startImmediately: true })
      yield* Stage.turns
      const [letter] = yield* letters.list(name)
      assert.deepInclude(letter, { reason: "Invalid", eventId: "e-7", eventType: Sent.name })
      assert.strictEqual(letter?.body.toString(), sent)
    })
  )
})
