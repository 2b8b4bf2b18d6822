/** Clients of the embedded broker when it blocks, is cut off, loses a queue, or when they close (P1, P3, P11). */
import { inFlight } from "../../src/bus/port/Broker.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import * as Stage from "./EmbeddedClients.ts"

const statusOf = (broker: Stage.Service): string => SubscriptionRef.getUnsafe(broker.status)._tag
const probeOf = (broker: Stage.Service) => Effect.map(broker.probes[0]!.check, ({ status }) => status)

describe("a broker that blocks", () => {
  it.effect("holds sent messages, and confirms each once and in order when it continues", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker)
      const late = yield* Stage.client(server)
      server.block("low on memory")
      assert.deepStrictEqual([statusOf(broker), statusOf(late.broker)], ["Blocked", "Blocked"])
      assert.deepInclude(SubscriptionRef.getUnsafe(broker.status), { detail: "low on memory" })
      assert.strictEqual(statusOf((yield* Stage.client(server)).broker), "Blocked")
      assert.strictEqual(yield* probeOf(broker), "degraded")
      const outcomes = [1, 2, 3].map((n) => Stage.sending(broker, Stage.event("e"), String(n)))
      yield* Stage.turns
      assert.deepStrictEqual([outcomes.map(Stage.tags).join(""), consumer.ids()], ["", ""])
      server.unblock()
      yield* Stage.turns
      assert.deepStrictEqual(outcomes.map(Stage.tags), ["Confirmed", "Confirmed", "Confirmed"])
      assert.deepStrictEqual([statusOf(broker), consumer.ids()], ["Up", "1 2 3"])
    })
  )

  it.effect("still delivers, and accepts acknowledgements", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      yield* Stage.sendAll(broker, Stage.event("e"), [1, 2])
      server.block("no disk")
      const consumer = yield* Stage.consume(broker, { prefetch: 1, ack: true })
      assert.deepStrictEqual([consumer.ids(), server.counts().unacked], ["1 2", 0])
    })
  )

  it.effect("that is blocked during an answer gives no further one", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const tags: Array<string> = []
      for (const n of [1, 2]) {
        broker.send(
          inFlight(Stage.outgoing(Stage.event("e"), String(n)), ({ _tag }) => {
            tags.push(_tag)
            server.block("full")
          })
        )
      }
      yield* Stage.turns
      assert.deepStrictEqual(tags, ["Confirmed"])
      assert.strictEqual(server.counts().sending, 1)
    })
  )
})

describe("a broker that is cut off", () => {
  for (const open of ["stored", "not-stored"] as const) {
    it.effect(`P1: answers each open send once, with Lost; it is ${open}`, () =>
      Effect.gen(function* () {
        const { broker, server } = yield* Stage.make()
        const resent: Array<string> = []
        const outcomes: Array<string> = []
        for (const n of [1, 2]) {
          broker.send(
            inFlight(Stage.outgoing(Stage.event("e"), String(n)), ({ _tag }) => {
              outcomes.push(_tag)
              // A client that sends again at once is not connected.
              broker.send(
                inFlight(Stage.outgoing(Stage.event("e"), "again"), (outcome) => void resent.push(outcome._tag))
              )
            })
          )
        }
        server.disconnect(open)
        yield* Stage.turns
        assert.deepStrictEqual(
          [outcomes, resent],
          [
            ["Unknown", "Unknown"],
            ["NotSent", "NotSent"]
          ]
        )
        assert.deepInclude(SubscriptionRef.getUnsafe(broker.status), { _tag: "Connecting" })
        assert.strictEqual((yield* Effect.flip(broker.depth("s"))).reason._tag, "Connection")
        assert.strictEqual(yield* probeOf(broker), "down")
        server.reconnect()
        assert.deepStrictEqual([statusOf(broker), yield* probeOf(broker)], ["Up", "up"])
        assert.strictEqual((yield* broker.depth("s")).ready, open === "stored" ? 2 : 0)
      })
    )
  }

  it.effect("that is cut off during its answers answers the others with Lost", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const tags: Array<string> = []
      for (const n of [1, 2, 3]) {
        broker.send(
          inFlight(Stage.outgoing(Stage.event("e"), String(n)), ({ _tag }) => {
            tags.push(_tag)
            if (n === 1) server.disconnect("not-stored")
          })
        )
      }
      yield* Stage.turns
      assert.deepStrictEqual(tags, ["Confirmed", "Unknown", "Unknown"])
      server.reconnect()
      assert.strictEqual((yield* broker.depth("s")).ready, 1)
    })
  )

  it.effect("P3, P11: ends every consumer once, and takes back what they held, in order", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make({ ordering: "key" })
      const other = yield* Stage.client(server)
      const a = yield* Stage.consume(broker, { prefetch: 2 })
      const b = yield* Stage.consume(other.broker, { prefetch: 2 })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(5))
      yield* a.cancel
      assert.deepStrictEqual([a.ids(), b.ids()], ["1 2", "3 4"])
      server.disconnect("stored")
      server.disconnect("stored")
      assert.deepStrictEqual([a.losses.length, b.losses.length], [1, 1])
      assert.isTrue([...a.got, ...b.got].every((delivery) => delivery.lost()))
      a.ack(1, 2)
      b.ack(3, 4)
      server.reconnect()
      yield* Effect.andThen(a.close, b.close)
      assert.deepStrictEqual([a.losses.length, b.losses.length], [1, 1])
      assert.strictEqual((yield* Stage.consume(broker)).counts(), "1:1 2:1 3:1 4:1 5:0")
    })
  )

  it.effect("reports the right status when it is blocked meanwhile", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      server.disconnect("stored")
      server.block("full")
      assert.strictEqual(statusOf(broker), "Connecting")
      assert.strictEqual(statusOf((yield* Stage.client(server)).broker), "Connecting")
      server.reconnect()
      assert.strictEqual(statusOf(broker), "Blocked")
      server.disconnect("stored")
      server.unblock()
      assert.strictEqual(statusOf(broker), "Connecting")
      server.reconnect()
      assert.strictEqual(statusOf(broker), "Up")
    })
  )
})

describe("a queue that is deleted", () => {
  it.effect("P11: ends its consumers once, loses its messages, and is new when declared again", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const [a, cancelled] = [
        yield* Stage.consume(broker, { prefetch: 1 }),
        yield* Stage.consume(broker, { prefetch: 1 })
      ]
      yield* Stage.sendAll(broker, Stage.event("e"), [1, 2, 3])
      yield* cancelled.cancel
      server.deleteQueue("s")
      server.deleteQueue("s")
      assert.deepStrictEqual([a.losses.map(({ reason }) => reason._tag), cancelled.losses], [["Refused"], []])
      assert.isTrue(a.got[0]?.lost())
      yield* broker.declare({ name: "s", ordering: "key", patterns: ["f"] })
      assert.deepStrictEqual(yield* broker.depth("s"), { ready: 0, consumers: 0 })
      yield* Effect.andThen(a.close, cancelled.close)
      assert.strictEqual(yield* broker.deadLetterDepth(Stage.lettersOf("s")), 0)
    })
  )
})

describe("a client that closes", () => {
  it.effect("P3: returns what it held, ends its consumers, and sends nothing more; others go on", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const other = yield* Stage.client(server)
      const theirs = yield* Stage.consume(other.broker, { prefetch: 2 })
      yield* Stage.sendAll(broker, Stage.event("e"), [1, 2, 3])
      const open = Stage.sending(other.broker, Stage.event("e"), "4")
      yield* other.close
      assert.deepStrictEqual(
        [Stage.tags(open), theirs.losses.map(({ reason }) => reason._tag)],
        ["Unknown", ["Closed"]]
      )
      assert.strictEqual(statusOf(other.broker), "Closed")
      const [after] = Stage.sending(other.broker, Stage.event("e"), "5")
      assert.isTrue(after?._tag === "NotSent" && after.error.reason._tag === "Closed")
      assert.strictEqual((yield* Effect.flip(other.broker.depth("s"))).reason._tag, "Closed")
      // Sends on their way are stored, like bytes that the node has received.
      assert.strictEqual((yield* Stage.consume(broker)).counts(), "1:1 2:1 3:0 4:0")
      server.disconnect("stored")
      assert.deepStrictEqual([statusOf(other.broker), statusOf(broker)], ["Closed", "Connecting"])
      assert.strictEqual(Stage.tags(open), "Unknown")
    })
  )

  it.effect("while it is blocked gets Lost once; its sends arrive later", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const other = yield* Stage.client(server)
      server.block("full")
      const open = Stage.sending(other.broker, Stage.event("e"), "1")
      yield* other.close
      assert.strictEqual(Stage.tags(open), "Unknown")
      server.unblock()
      yield* Stage.turns
      assert.deepStrictEqual([Stage.tags(open), (yield* broker.depth("s")).ready], ["Unknown", 1])
    })
  )
})

describe("a reader of dead letters", () => {
  const three = Effect.gen(function* () {
    const made = yield* Stage.make()
    yield* Stage.sendAll(made.broker, Stage.deadLetterOf("s"), [1, 2, 3])
    return made
  })
  const letters = Stage.lettersOf("s")

  it.effect("P8, P13: holds what it reads until it ends; then unacked letters are back, in order and counted", () =>
    Effect.gen(function* () {
      const { broker } = yield* three
      yield* Effect.scoped(
        Effect.gen(function* () {
          const reader = yield* broker.readDeadLetters(letters)
          yield* Stage.sendAll(broker, Stage.deadLetterOf("s"), [4])
          assert.strictEqual(reader.count, 3)
          const [first, second] = [yield* reader.next, yield* reader.next]
          second?.ack()
          second?.ack()
          assert.deepStrictEqual([Stage.text(first), Stage.text(second)], ["1", "2"])
          assert.strictEqual(yield* broker.deadLetterDepth(letters), 2)
        })
      )
      const reader = yield* broker.readDeadLetters(letters)
      const rest = [yield* reader.next, yield* reader.next, yield* reader.next, yield* reader.next]
      assert.deepStrictEqual(rest.map(Stage.text), ["1", "3", "4", undefined])
      assert.deepStrictEqual(
        rest.map((letter) => letter?.deliveryCount),
        [1, 0, 0, undefined]
      )
    })
  )

  it.effect("sees only what no other reader holds", () =>
    Effect.gen(function* () {
      const { broker } = yield* three
      const [a, b] = [yield* broker.readDeadLetters(letters), yield* broker.readDeadLetters(letters)]
      const read = [yield* a.next, yield* b.next, yield* a.next, yield* b.next]
      assert.deepStrictEqual(read.map(Stage.text), ["1", "2", "3", undefined])
    })
  )

  it.effect("loses what it holds with its connection, and fails with that error", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* three
      const reader = yield* broker.readDeadLetters(letters)
      const first = yield* reader.next
      server.disconnect("stored")
      server.reconnect()
      assert.isTrue(first?.lost())
      first?.ack()
      assert.strictEqual((yield* Effect.flip(reader.next)).reason._tag, "Connection")
      assert.strictEqual(yield* broker.deadLetterDepth(letters), 3)
    })
  )

  it.effect("may read a hundred times: reading never uses up a dead letter", () =>
    Effect.gen(function* () {
      const { broker } = yield* three
      for (const _ of Stage.numbers(100)) {
        yield* Effect.scoped(Effect.flatMap(broker.readDeadLetters(letters), ({ next }) => next))
      }
      assert.strictEqual(yield* broker.deadLetterDepth(letters), 3)
    })
  )
})
