/** Messages that wait or are kept on the broker: the ladder in real time, undeliverable events, dead letters. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { DeadLetterSource } from "../../../src/bus/port/Broker.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { open } from "../setup/OpenBroker.ts"
import { answered, copyTo, deadLetterOf, outgoing, post, send } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

export const ladderCases = (node: () => RabbitNode): void => {
  describe.concurrent("Ladder", () => {
    it.live("P7, T8, N4: the ladder delivers after 0, 1, 2 and 3 s, never sooner, to the right subscriber", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        yield* broker.declare(subscriber("b", ["x"]))
        const arrivals = new Map<string, number>()
        const a = yield* consume(
          broker,
          "a",
          100,
          ({ properties }) => void arrivals.set(properties.messageId ?? "", Date.now())
        )
        const b = yield* consume(broker, "b")
        const start = Date.now()
        // The longest first: no other one waits behind it.
        const posts = [3, 2, 1, 0].map((seconds) => ({ seconds, sent: post(broker, outgoing(copyTo("a", seconds))) }))
        const later = post(broker, outgoing({ _tag: "DelayedEvent", name: "x", seconds: 2 }))
        yield* answered([...posts.map(({ sent }) => sent), later])
        yield* a.reaches(5)
        yield* b.reaches(1)
        // The broker's timer and this clock may differ by rounding.
        for (const { seconds, sent } of posts)
          assert.isAtLeast((arrivals.get(sent.id) ?? 0) - start, seconds * 1000 - 5)
        assert.deepStrictEqual(
          a.deliveries.map(({ properties, trusted }) => [properties.messageId, trusted]).toSorted(),
          [...posts.map(({ sent }) => [sent.id, true]), [later.id, false]].toSorted()
        )
        const waited = new Set(posts.map(({ sent }) => sent.id))
        assert.deepStrictEqual(
          a.ids().filter((id) => waited.has(id)),
          posts.map(({ sent }) => sent.id).toReversed()
        )
        assert.deepStrictEqual(b.ids(), [later.id])
        assert.strictEqual(b.deliveries[0]?.routingKey, "x")
        assert.isFalse(b.deliveries[0]?.trusted)
      })
    )

    it.live("N4: a delayed event without a subscriber when it is due is kept as undeliverable", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const source: DeadLetterSource = { _tag: "Undeliverable" }
        const sent = outgoing({ _tag: "DelayedEvent", name: "x.nobody", seconds: 1 })
        yield* send(broker, sent)
        yield* untilEffect(
          () => "it is undeliverable",
          Effect.map(broker.deadLetterDepth(source), (depth) => depth === 1)
        )
        const read = yield* Effect.scoped(Effect.flatMap(broker.readDeadLetters(source), ({ next }) => next))
        assert.strictEqual(read?.properties.messageId, sent.properties.messageId)
        assert.strictEqual(read?.routingKey, "x.nobody")
      })
    )

    it.live("N2: a dead letter is still there after it was listed 30 times", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        yield* broker.declare(subscriber("a", ["x"]))
        const source: DeadLetterSource = { _tag: "Subscriber", name: "a" }
        const ids = ["one", "two", "three"]
        for (const messageId of ids) yield* send(broker, outgoing(deadLetterOf("a"), { properties: { messageId } }))
        for (let look = 1; look <= 30; look++) {
          const seen = yield* Effect.scoped(
            Effect.gen(function* () {
              const reader = yield* broker.readDeadLetters(source)
              assert.strictEqual(reader.count, 3, `look ${look}`)
              const found: Array<string | undefined> = []
              for (let delivery = yield* reader.next; delivery !== undefined; delivery = yield* reader.next)
                found.push(delivery.properties.messageId)
              return found
            })
          )
          assert.deepStrictEqual(seen, ids, `look ${look}`)
        }
        yield* Effect.scoped(
          Effect.flatMap(broker.readDeadLetters(source), ({ next }) => Effect.map(next, (delivery) => delivery?.ack()))
        )
        assert.strictEqual(yield* broker.deadLetterDepth(source), 2)
      })
    )
  })
}
