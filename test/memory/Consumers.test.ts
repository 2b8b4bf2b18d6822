/** Consumers of the embedded broker: prefetch, competition, single active consumers, and returned messages (P3, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Stage from "./EmbeddedClients.ts"

describe("a consumer", () => {
  it.effect("P13, C6, C17: never holds more than its prefetch; an ack makes room", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker, { prefetch: 3 })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(10))
      assert.strictEqual(consumer.ids(), "1 2 3")
      consumer.ack(2)
      yield* Stage.turns
      assert.strictEqual(consumer.ids(), "1 2 3 4")
      consumer.ack(1, 3, 4)
      yield* Stage.turns
      assert.strictEqual(consumer.ids(), "1 2 3 4 5 6 7")
      assert.deepStrictEqual(yield* broker.depth("s"), { ready: 3, consumers: 1 })
    })
  )

  it.effect("C6, C17: acknowledges in one turn and gets more in the next, so it never takes a backlog at once", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(200))
      let inTurn = 0
      let most = 0
      let all = 0
      yield* broker.consume({
        subscriber: "s",
        prefetch: 4,
        onDelivery: (delivery) => {
          if (inTurn++ === 0) setImmediate(() => void (inTurn = 0))
          most = Math.max(most, inTurn)
          all++
          delivery.ack()
        },
        onLost: () => {}
      })
      while (all < 200) yield* Stage.turns
      assert.strictEqual(most, 4)
    })
  )

  it.effect("has no bound with prefetch 0, as on RabbitMQ", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker, { prefetch: 0 })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(300))
      assert.strictEqual(consumer.got.length, 300)
    })
  )

  it.effect("that is cancelled gets no more, and can still acknowledge what it holds", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker, { prefetch: 2 })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(4))
      yield* consumer.cancel
      assert.deepStrictEqual(yield* broker.depth("s"), { ready: 2, consumers: 0 })
      consumer.ack(1, 2)
      yield* Stage.turns
      assert.deepStrictEqual([consumer.ids(), server.counts().unacked], ["1 2", 0])
      assert.isFalse(consumer.got[0]?.lost())
      yield* consumer.close
      assert.isTrue(consumer.got[0]?.lost())
      assert.deepStrictEqual(yield* broker.depth("s"), { ready: 2, consumers: 0 })
    })
  )

  it.effect("settles once: a second ack, or one after its end, does nothing and is counted", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker)
      yield* Stage.sendAll(broker, Stage.event("e"), [1, 2])
      consumer.ack(1)
      consumer.ack(1)
      yield* consumer.close
      consumer.ack(1, 2)
      assert.deepStrictEqual(yield* broker.depth("s"), { ready: 1, consumers: 0 })
      assert.include((yield* broker.probes[0]!.check).detail, "3 late")
    })
  )
})

describe("several consumers", () => {
  it.effect("compete: each event goes to one, in turn, over several clients", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const other = yield* Stage.client(server)
      const a = yield* Stage.consume(broker)
      const b = yield* Stage.consume(other.broker)
      const c = yield* Stage.consume(broker)
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(9))
      assert.deepStrictEqual([a.ids(), b.ids(), c.ids()], ["1 4 7", "2 5 8", "3 6 9"])
    })
  )

  it.effect("a consumer without room is passed over, and no message waits for it", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const slow = yield* Stage.consume(broker, { prefetch: 1 })
      const quick = yield* Stage.consume(broker, { prefetch: 10, ack: true })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(20))
      assert.deepStrictEqual([slow.got.length, quick.got.length], [1, 19])
    })
  )

  it.effect("stay fair when one of them leaves", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const a = yield* Stage.consume(broker, { ack: true })
      const b = yield* Stage.consume(broker, { ack: true })
      const c = yield* Stage.consume(broker, { ack: true })
      yield* Stage.sendAll(broker, Stage.event("e"), [1])
      yield* a.close
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(7, 2))
      assert.deepStrictEqual([a.ids(), b.ids(), c.ids()], ["1", "2 4 6", "3 5 7"])
    })
  )

  it.effect("P6: of an ordered subscriber, one works and the others stand by", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make({ ordering: "key" })
      const other = yield* Stage.client(server)
      const a = yield* Stage.consume(broker, { prefetch: 3 })
      const b = yield* Stage.consume(other.broker, { prefetch: 3 })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(9))
      assert.deepStrictEqual([a.ids(), b.ids()], ["1 2 3", ""])
      a.ack(2)
      yield* Stage.turns
      yield* a.close
      // The messages of the first consumer come first, in their order.
      assert.strictEqual(b.counts(), "1:1 3:1 4:1")
      b.ack(1, 3, 4)
      yield* Stage.turns
      assert.strictEqual(b.counts(), "1:1 3:1 4:1 5:0 6:0 7:0")
    })
  )

  it.effect("P6: cancelling the active one starts the next at once, while the first still holds its own", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make({ ordering: "key" })
      const a = yield* Stage.consume(broker, { prefetch: 3 })
      const b = yield* Stage.consume(broker, { prefetch: 2 })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(7))
      yield* a.cancel
      assert.deepStrictEqual([a.ids(), b.ids()], ["1 2 3", "4 5"])
      yield* a.close
      b.ack(4, 5)
      yield* Stage.turns
      assert.strictEqual(b.counts(), "4:0 5:0 1:1 2:1")
    })
  )
})

describe("a message that comes back", () => {
  it.effect("goes to the front, in its order, with its count", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      for (const round of [0, 1, 2]) {
        if (round === 0) yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(6))
        const consumer = yield* Stage.consume(broker, { prefetch: 4 })
        assert.strictEqual(consumer.counts(), `1:${round} 2:${round} 3:${round} 4:${round}`)
        assert.isTrue(consumer.got.every(({ redelivered }) => redelivered === round > 0))
        assert.strictEqual(consumer.got[0]?.headers["x-delivery-count"], round === 0 ? undefined : round)
        yield* consumer.close
      }
      const last = yield* Stage.consume(broker)
      assert.strictEqual(last.counts(), "1:3 2:3 3:3 4:3 5:0 6:0")
    })
  )

  // The order over several holders and partial takes is where RabbitMQ 3.10 differs from "in-place".
  const orders = [
    ["in-place", "1 2 3 4 5 6", "1 2 3 4 5 6"],
    ["behind", "1 3 5 2 4 6", "2 3 1"]
  ] as const
  for (const [returns, competing, alone] of orders) {
    it.effect(`of two consumers is ${returns === "in-place" ? "in its place" : "behind what returned before"}`, () =>
      Effect.gen(function* () {
        const { broker } = yield* Stage.make({ returns })
        const a = yield* Stage.consume(broker, { prefetch: 3 })
        const b = yield* Stage.consume(broker, { prefetch: 3 })
        yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(6))
        assert.deepStrictEqual([a.ids(), b.ids()], ["1 3 5", "2 4 6"])
        yield* Effect.andThen(a.cancel, b.cancel)
        yield* Effect.andThen(a.close, b.close)
        assert.strictEqual((yield* Stage.consume(broker)).ids(), competing)
      })
    )

    it.effect(`taken alone and given back again is ${returns === "in-place" ? "first" : "last"} of its window`, () =>
      Effect.gen(function* () {
        const { broker } = yield* Stage.make({ returns, ordering: "key" })
        yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(alone.split(" ").length))
        for (const prefetch of [10, 1]) yield* (yield* Stage.consume(broker, { prefetch })).close
        assert.strictEqual((yield* Stage.consume(broker)).ids(), alone)
      })
    )
  }

  it.effect("P3: more than 20 times is a dead letter with that reason, in order, whose headers are not trusted", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      Stage.sending(broker, Stage.event("e"), "1", { tenant: "t", "x-delivery-count": 9, "x-death": "forged" })
      Stage.sending(broker, Stage.copyTo("s"), "2", { "bus-attempt": 3 })
      yield* Stage.turns
      for (const round of Stage.numbers(21)) {
        const consumer = yield* Stage.consume(broker)
        assert.deepStrictEqual(
          consumer.got.map(({ deliveryCount }) => deliveryCount),
          [round - 1, round - 1]
        )
        if (round === 1) {
          // Headers of a publisher are shown and not trusted.
          assert.deepInclude(consumer.got[0], { redelivered: false, deliveryCount: 0, trusted: false })
          assert.deepInclude(consumer.got[0]?.headers, { "x-delivery-count": 9, "x-death": "forged" })
        }
        yield* consumer.close
      }
      assert.strictEqual((yield* Stage.consume(broker)).got.length, 0)
      const reader = yield* broker.readDeadLetters(Stage.lettersOf("s"))
      const [first, second] = [yield* reader.next, yield* reader.next]
      assert.deepStrictEqual([reader.count, Stage.text(first), Stage.text(second)], [2, "1", "2"])
      for (const letter of [first, second]) {
        assert.deepInclude(letter, { trusted: false, redelivered: false, deliveryCount: 0, routingKey: "" })
        assert.strictEqual(letter?.headers["x-first-death-reason"], "delivery_limit")
        assert.strictEqual(letter?.headers["x-last-death-reason"], "delivery_limit")
        assert.notProperty(letter?.headers, "x-delivery-count")
      }
      assert.strictEqual(first?.headers["tenant"], "t")
      assert.strictEqual(second?.headers["bus-attempt"], 3)
      assert.deepStrictEqual(first?.headers["x-death"], [
        { count: 1, reason: "delivery_limit", queue: "test.sub.s", exchange: "test.events", "routing-keys": ["e"] }
      ])
    })
  )
})
