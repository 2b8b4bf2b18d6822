/** Routing on the embedded broker: where a message goes, what its receiver sees, and messages without a queue (P1, P15, P16). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type Delivery, type SendOutcome, inFlight } from "../../src/bus/port/Broker.ts"
import * as Stage from "./EmbeddedClients.ts"

const routed: ReadonlyArray<SendOutcome> = [{ _tag: "Confirmed", routed: true }]
const unrouted: ReadonlyArray<SendOutcome> = [{ _tag: "Confirmed", routed: false }]

describe("an event", () => {
  it.effect("P1: goes once to every subscriber with a matching pattern, consumed or not", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const wanted = { all: ["#"], word: ["a.*"], exact: ["a.b", "a.#"], other: ["b.#"] }
      for (const [name, patterns] of Object.entries(wanted)) yield* broker.declare({ name, ordering: "none", patterns })
      const outcome = Stage.sending(broker, Stage.event("a.b"), "1")
      assert.strictEqual(outcome.length, 0)
      yield* Stage.turns
      assert.deepStrictEqual(outcome, routed)
      const ready: Array<number> = []
      for (const name of Object.keys(wanted)) ready.push((yield* broker.depth(name)).ready)
      assert.deepStrictEqual(ready, [1, 1, 1, 0])
    })
  )

  it.effect("P1: without a queue is returned, like a copy or dead letter without a queue, and not kept", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const outcomes = [Stage.event("nobody"), Stage.copyTo("nobody"), Stage.deadLetterOf("nobody")].map((to) =>
        Stage.sending(broker, to, "1")
      )
      yield* Stage.turns
      assert.deepStrictEqual(outcomes, [unrouted, unrouted, unrouted])
      assert.strictEqual(yield* broker.deadLetterDepth(Stage.undeliverable), 0)
      server.deleteQueue("s")
      const gone = Stage.sending(broker, Stage.copyTo("s"), "1")
      const letter = Stage.sending(broker, Stage.deadLetterOf("s"), "1")
      yield* Stage.turns
      assert.deepStrictEqual([gone, letter], [unrouted, routed])
    })
  )

  it.effect("takes one turn to be stored and another to be delivered", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker)
      const seen: Array<string> = []
      yield* Effect.promise(async () => {
        broker.send(
          inFlight(
            Stage.outgoing(Stage.event("e"), "1"),
            () => void seen.push(`stored, ${consumer.got.length} delivered`)
          )
        )
        seen.push("sent")
        await new Promise((resolve) => setImmediate(resolve))
        seen.push("a turn")
        await new Promise((resolve) => setImmediate(resolve))
      })
      assert.deepStrictEqual(seen, ["sent", "stored, 0 delivered", "a turn"])
      assert.strictEqual(consumer.ids(), "1")
    })
  )

  it.effect("P6: many events keep the order of the calls, with or without delayed answers", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make({ ordering: "key" })
      const consumer = yield* Stage.consume(broker, { prefetch: 250, ack: true })
      const sent: Array<number> = []
      // Each answer sends another message.
      const send = (n: number): void => {
        sent.push(n)
        broker.send(
          inFlight(Stage.outgoing(Stage.event("e"), String(n)), () => {
            if (sent.length < 500) send(sent.length + 1)
          })
        )
      }
      for (const n of Stage.numbers(20)) send(n)
      while (consumer.got.length < 500) yield* Stage.turns
      assert.strictEqual(consumer.ids(), Stage.numbers(500).join(" "))
    })
  )
})

describe("a delivery", () => {
  it.effect(
    "P15: is trusted if the runtime sent it to this subscriber, and not if it is an event, delayed or not",
    () =>
      Effect.gen(function* () {
        const { broker } = yield* Stage.make()
        const consumer = yield* Stage.consume(broker)
        for (const to of [Stage.event("e"), Stage.copyTo("s")]) Stage.sending(broker, to, to._tag, { "bus-attempt": 7 })
        yield* Stage.turns
        assert.deepStrictEqual(
          consumer.got.map(({ routingKey, trusted }) => [routingKey, trusted]),
          [
            ["e", false],
            ["", true]
          ]
        )
      })
  )

  it.effect("P15: has its own headers without a prototype, the body as it was sent, and times in whole seconds", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      yield* broker.declare({ name: "t", ordering: "none", patterns: ["e"] })
      const [a, b] = [yield* Stage.consume(broker), yield* Stage.consume(broker, { subscriber: "t" })]
      const headers: Record<string, string> = JSON.parse(`{"tenant":"t-1","__proto__":"forged"}`)
      Stage.sending(broker, Stage.event("e"), "body", headers)
      yield* Stage.turns
      const [first, second] = [a.got[0], b.got[0]]
      assert.isNull(Object.getPrototypeOf(first?.headers))
      assert.deepStrictEqual(Object.keys(first?.headers ?? {}), ["tenant"])
      // Code that gets around the types changes its own headers only.
      Object.assign(first?.headers ?? {}, { tenant: "changed" })
      assert.strictEqual(second?.headers["tenant"], "t-1")
      assert.strictEqual(second?.body.toString(), "body")
      assert.deepStrictEqual(second?.properties, {
        messageId: "body",
        type: "t",
        timestamp: 1_700_000_000_000,
        appId: "test",
        correlationId: undefined,
        contentType: "text/plain"
      })
    })
  )

  it.effect("never has a header that AMQP cannot carry", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      assert.strictEqual(Stage.tags(Stage.sending(broker, Stage.event("e"), "1", { n: Number.NaN })), "NotSent")
      yield* Stage.turns
      assert.deepStrictEqual(yield* broker.depth("s"), { ready: 0, consumers: 0 })
    })
  )
})

describe("a subscriber", () => {
  it.effect("keeps its bindings: patterns add up", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      yield* broker.declare({ name: "s", ordering: "none", patterns: ["f"] })
      for (const name of ["e", "f"]) Stage.sending(broker, Stage.event(name), name)
      yield* Stage.turns
      assert.strictEqual((yield* Stage.consume(broker)).ids(), "e f")
    })
  )

  it.effect("P16: cannot change its ordering; the error names the difference and the remedy", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const { reason } = yield* Effect.flip(broker.declare({ name: "s", ordering: "key", patterns: ["f"] }))
      assert.deepInclude(reason, {
        _tag: "TopologyMismatch",
        entity: "queue test.sub.s",
        argument: "x-single-active-consumer",
        expected: "true",
        actual: "none"
      })
      assert.include(reason.message, "use a new subscriber name")
      // It was not bound either.
      const outcome = Stage.sending(broker, Stage.event("f"), "1")
      yield* Stage.turns
      assert.deepStrictEqual(outcome, unrouted)
    })
  )

  it.effect("that was never declared cannot be consumed, inspected or read", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      const attempts: ReadonlyArray<
        Effect.Effect<unknown, { readonly reason: { readonly _tag: string } }, Scope.Scope>
      > = [
        broker.consume({ subscriber: "x", prefetch: 1, onDelivery: () => {}, onLost: () => {} }),
        broker.depth("x"),
        broker.deadLetterDepth(Stage.lettersOf("x")),
        broker.readDeadLetters(Stage.lettersOf("x"))
      ]
      for (const attempt of attempts) {
        assert.strictEqual((yield* Effect.flip(attempt)).reason._tag, "TopologyMissing")
      }
    })
  )

  it.effect("of one namespace sees nothing of another one on the same server", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const { broker: other } = yield* Stage.client(server, "other")
      assert.strictEqual((yield* Effect.flip(other.depth("s"))).reason._tag, "TopologyMissing")
      const event = Stage.sending(other, Stage.event("e"), "1")
      yield* Stage.turns
      assert.deepStrictEqual(event, unrouted)
      // The same name with another ordering is another queue.
      yield* other.declare({ name: "s", ordering: "key", patterns: ["e"] })
      yield* Stage.sendAll(other, Stage.event("e"), [2])
      assert.deepStrictEqual([(yield* broker.depth("s")).ready, (yield* other.depth("s")).ready], [0, 1])
    })
  )
})

describe("an ephemeral consumer", () => {
  const open = Effect.fnUntraced(function* (broker: Stage.Service) {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const got: Array<Delivery> = []
    let losses = 0
    const consumer = yield* broker
      .consumeEphemeral({
        patterns: ["tail.*"],
        prefetch: 2,
        onDelivery: (delivery) => void got.push(delivery),
        onLost: () => void losses++
      })
      .pipe(Scope.provide(scope))
    return { got, consumer, losses: () => losses, close: Scope.close(scope, Exit.void) }
  })
  const send = Effect.fnUntraced(function* (broker: Stage.Service) {
    const outcome = Stage.sending(broker, Stage.event("tail.x"), "1")
    yield* Stage.turns
    return outcome
  })

  it.effect("gets every event for itself, beside others, within its prefetch", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      // Its route is remembered as empty, until a subscriber is declared.
      assert.deepStrictEqual(yield* send(broker), unrouted)
      const [a, b] = [yield* open(broker), yield* open(broker)]
      for (const _ of [1, 2, 3]) assert.deepStrictEqual(yield* send(broker), routed)
      assert.deepStrictEqual([a.got.length, b.got.length], [2, 2])
      for (const delivery of a.got) delivery.ack()
      yield* Stage.turns
      assert.deepStrictEqual([a.got.length, b.got.length], [3, 2])
    })
  )

  for (const end of ["its scope", "its cancellation", "its connection"] as const) {
    it.effect(`removes its queue at the end of ${end}`, () =>
      Effect.gen(function* () {
        const { broker, server } = yield* Stage.make()
        const { close, consumer, got, losses } = yield* open(broker)
        assert.deepStrictEqual(yield* send(broker), routed)
        if (end === "its scope") yield* close
        else if (end === "its cancellation") yield* consumer.cancel
        else {
          server.disconnect("stored")
          server.reconnect()
        }
        assert.deepStrictEqual(yield* send(broker), unrouted)
        assert.deepStrictEqual([got.length, losses()], [1, end === "its connection" ? 1 : 0])
        assert.strictEqual(server.counts().ready, 0)
        yield* server.idle
      })
    )
  }
})
