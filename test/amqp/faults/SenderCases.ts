/** The outcomes of sends: each has one, the right one, and a bad message harms no other. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Headers, Outgoing } from "../../../src/bus/port/Broker.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { subscriber } from "../setup/Consumers.ts"
import { open, rawChannel } from "../setup/OpenBroker.ts"
import {
  answered,
  assertOnce,
  copyTo,
  deadLetterOf,
  event,
  idsOf,
  outgoing,
  post,
  send,
  sendUntilConfirmed
} from "../setup/Sends.ts"
import { until, untilEffect } from "../setup/Until.ts"

const confirmed = (routed: boolean) => ({ _tag: "Confirmed" as const, routed })

export const senderCases = (node: () => RabbitNode): void => {
  describe.concurrent("Sender", () => {
    it.live(
      "N11, PUB8, PUB24: a return belongs to its exchange, key and id: of two copies of one event only the one without a queue is unrouted",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url, { publishChannels: 1 })
          yield* broker.declare(subscriber("a", ["x.a"]))
          const kinds = [
            ["to a's dead letters", deadLetterOf("a"), true],
            ["to nobody's dead letters", deadLetterOf("ghost"), false],
            ["to nobody", event("x.nobody"), false],
            ["to a", event("x.a"), true],
            ["a copy", copyTo("a"), true]
          ] as const
          const posts = Array.from({ length: 40 }, (_, n) =>
            kinds.map(([name, to, routed]) => ({
              name,
              routed,
              sent: post(broker, outgoing(to, { key: "k", properties: { messageId: `same-${n}` } }))
            }))
          ).flat()
          yield* answered(posts.map(({ sent }) => sent))
          for (const { name, routed, sent } of posts)
            assert.deepStrictEqual(sent.outcomes, [confirmed(routed)], `${name} ${sent.id}`)
          assert.strictEqual(yield* broker.deadLetterDepth({ _tag: "Subscriber", name: "a" }), 40)
          assert.strictEqual((yield* broker.depth("a")).ready, 80)
        })
    )

    it.live(
      "N11: two, three and many messages of one exchange, key and id: each is stored and answered once, unroutable ones too",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url, { publishChannels: 1 })
          yield* broker.declare(subscriber("a", ["x"]))
          const twins = Array.from({ length: 30 }, () =>
            post(broker, outgoing(event("x"), { properties: { messageId: "twin" } }))
          )
          const lonely = Array.from({ length: 3 }, () =>
            post(broker, outgoing(event("nobody"), { properties: { messageId: "twin" } }))
          )
          yield* answered([...twins, ...lonely])
          for (const { outcomes } of twins) assert.deepStrictEqual(outcomes, [confirmed(true)])
          for (const { outcomes } of lonely) assert.deepStrictEqual(outcomes, [confirmed(false)])
          assert.strictEqual((yield* broker.depth("a")).ready, 30)
        })
    )

    it.live(
      "PUB9: an exchange that is deleted while messages are in flight is declared again, and each send is answered once",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url)
          const raw = yield* rawChannel(node().url)
          yield* broker.declare(subscriber("a", ["x"]))
          const before = yield* send(broker, outgoing(event("x")))
          assert.deepStrictEqual(before, confirmed(true))
          yield* Effect.promise(() => raw.deleteExchange(`${broker.namespace}.events`))
          const posts = Array.from({ length: 50 }, () => post(broker, outgoing(event("x"))))
          yield* answered(posts)
          assertOnce(posts)
          // Its bindings were deleted with it: they come back when the subscriber declares them.
          assert.deepStrictEqual(yield* sendUntilConfirmed(broker, () => outgoing(event("x"))), confirmed(false))
          yield* broker.declare(subscriber("a", ["x"]))
          for (let n = 0; n < 4; n++)
            assert.deepStrictEqual(yield* sendUntilConfirmed(broker, () => outgoing(event("x"))), confirmed(true))
        })
    )

    it.live("shared objects that were deleted are declared again with the next subscriber", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const raw = yield* rawChannel(node().url)
        yield* Effect.promise(() => raw.deleteExchange(`${broker.namespace}.delay.deliver`))
        yield* broker.declare(subscriber("a", ["x"]))
        assert.deepStrictEqual(yield* send(broker, outgoing(copyTo("a"))), confirmed(true))
        yield* untilEffect(
          () => "the copy",
          Effect.map(broker.depth("a"), ({ ready }) => ready === 1)
        )
      })
    )

    it.live("PUB10: the nack of a full queue is Rejected and affects no other message", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { publishChannels: 1 })
        const raw = yield* rawChannel(node().url)
        yield* broker.declare(subscriber("a", ["x", "full"]))
        const full = `${broker.namespace}.full`
        yield* Effect.promise(async () => {
          await raw.assertQueue(full, {
            exclusive: true,
            arguments: { "x-max-length": 1, "x-overflow": "reject-publish" }
          })
          await raw.bindQueue(full, `${broker.namespace}.events`, "full")
        })
        yield* send(broker, outgoing(event("full")))
        const posts = Array.from({ length: 60 }, (_, n) => post(broker, outgoing(event(n % 3 === 0 ? "full" : "x"))))
        yield* answered(posts)
        assertOnce(posts)
        assert.deepStrictEqual(
          posts.map(({ outcomes }) => outcomes[0]?._tag),
          posts.map((_, n) => (n % 3 === 0 ? "Rejected" : "Confirmed"))
        )
      })
    )

    it.live(
      "PUB13, PUB14: values that the wire cannot carry are refused before they are sent, and messages beside them are not affected",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url, { publishChannels: 1 })
          yield* broker.declare(subscriber("a", ["x"]))
          const long = "é".repeat(150)
          const odd = (headers: object): Partial<Outgoing> => ({ headers: headers as Headers })
          const bad: ReadonlyArray<Outgoing> = [
            outgoing(event("x"), { properties: { messageId: long } }),
            outgoing(event("x"), { properties: { type: long } }),
            outgoing(event("x"), { properties: { appId: long } }),
            outgoing(event("x"), { properties: { correlationId: long } }),
            outgoing(event("x"), { properties: { contentType: long } }),
            outgoing(event(long)),
            outgoing(copyTo(long, 3)),
            outgoing(event("x"), { headers: { big: "h".repeat(200_000) } }),
            outgoing(event("x"), { headers: { [long]: 1 } }),
            outgoing(event("x"), odd({ a: 10n })),
            outgoing(event("x"), odd({ a: () => 1 })),
            outgoing(event("x"), odd({ a: Symbol("a") })),
            // Callers may not be TypeScript.
            outgoing(event("x"), { body: 5 as unknown as Buffer })
          ]
          const posts = bad.flatMap((message) => {
            const left = post(broker, outgoing(event("x"), { key: "k" }))
            const refused = post(broker, { ...message, key: "k" })
            return [left, refused, post(broker, outgoing(event("x"), { key: "k" }))]
          })
          yield* answered(posts)
          assertOnce(posts)
          posts.forEach(({ outcomes: [outcome] }, n) => {
            if (n % 3 !== 1) return assert.deepStrictEqual(outcome, confirmed(true))
            assert.strictEqual(
              outcome?._tag === "NotSent" ? outcome.error.reason._tag : outcome?._tag,
              "Refused",
              `number ${(n - 1) / 3}`
            )
          })
          assert.strictEqual((yield* broker.depth("a")).ready, bad.length * 2)
        })
    )

    it.live("PUB13: numbers that would end the connection never reach the wire", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { publishChannels: 1 })
        yield* broker.declare(subscriber("a", ["x"]))
        const values = [
          Number.POSITIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          Number.NaN,
          2 ** 53,
          -(2 ** 63),
          2 ** 63,
          2 ** 64,
          1e300,
          5e-324
        ]
        const posts = values.flatMap((value) => [
          post(broker, outgoing(event("x"))),
          post(broker, outgoing(event("x"), { headers: { value } }))
        ])
        yield* answered(posts)
        assertOnce(posts)
        posts.forEach(({ outcomes: [outcome] }, n) => {
          const value = n % 2 === 0 ? 0 : values[(n - 1) / 2]
          assert.strictEqual(outcome?._tag, Number.isFinite(value) ? "Confirmed" : "NotSent", String(value))
        })
      })
    )

    it.live("a send on a closed broker is answered at once", () =>
      Effect.gen(function* () {
        const { broker, close } = yield* open(node().url)
        const open_ = Array.from({ length: 20 }, () => post(broker, outgoing(event("x"))))
        yield* close
        const late = post(broker, outgoing(event("x")))
        yield* until(
          () => "all answered",
          () => open_.every(({ outcomes }) => outcomes.length > 0)
        )
        assertOnce([...open_, late])
        assert.strictEqual(idsOf([late], "NotSent").length, 1)
      })
    )
  })
}
