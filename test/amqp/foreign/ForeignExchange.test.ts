/** A subscriber whose own queue is bound to an exchange of another system, of each kind that routes by itself. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Schedule } from "effect"
import * as Foreign from "../../../src/bus/Foreign.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { lettersOf, untilEffect } from "../../../src/ports/conformance/setup/Waiting.ts"
import { describeLive } from "../../support/live.ts"
import { order, service, theirExchange } from "./OtherSystem.ts"

const oneRetry = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 }))

describeLive(
  "a foreign exchange",
  () => {
    it.live("P3, P8: a topic exchange: types of any form, a retry, a dead letter and its replay", () =>
      Effect.gen(function* () {
        const [ours, theirs] = [yield* service(), yield* theirExchange("topic")]
        const [Ordered, Cancelled, name, ledger] = [order(), order(), fresh(), makeLedger()]
        yield* ours.subscribe(name, {
          events: Foreign.exchange(
            theirs.name,
            { topic: ["order.*", "#.cancelled"] },
            { types: { "order.CREATED": Ordered, "https://example.com/Order_Cancelled": Cancelled } }
          ),
          ordering: "key",
          retry: oneRetry,
          handler: (event, info) =>
            Effect.andThen(
              ledger.handler(event, info),
              event.type === Cancelled.name && info.replays === 0 ? Effect.fail("no") : Effect.void
            )
        })
        theirs.send("order.CREATED", { n: 1, customer: "a" }, { appId: "shop", messageId: "1" })
        theirs.send("somewhere.else", { n: 9 })
        theirs.send(
          "very.long.cancelled",
          { n: 2, customer: "b" },
          { type: "https://example.com/Order_Cancelled", messageId: "2" }
        )
        const [letter] = yield* lettersOf(ours, name, 1)
        assert.deepInclude(letter, { reason: "Exhausted", eventId: "2", eventType: Cancelled.name, key: "b" })
        assert.strictEqual((yield* ours.letters.replay(name)).replayed, 1)
        yield* ledger.reaches(4)
        assert.deepInclude(ledger.entries[0]?.event, { id: "1", type: Ordered.name, source: "shop", key: "a" })
        assert.deepInclude(ledger.entries.at(-1)?.event, { id: "2", source: theirs.name, key: "b" })
        assert.notInclude(ledger.numbers(), 9)
      })
    )

    it.live("direct, fanout and headers exchanges route by what each of them routes by", () =>
      Effect.gen(function* () {
        const ours = yield* service()
        const [direct, fanout, headers] = [
          yield* theirExchange("direct"),
          yield* theirExchange("fanout"),
          yield* theirExchange("headers")
        ]
        const ledger = makeLedger()
        const subscribe = (exchange: string, binding: Foreign.ExchangeBinding) =>
          ours.subscribe(fresh(), {
            events: Foreign.exchange(exchange, binding, { types: { "*": order() } }),
            handler: ledger.handler
          })
        yield* subscribe(direct.name, { direct: "created" })
        yield* subscribe(fanout.name, { fanout: true })
        yield* subscribe(headers.name, { headers: { kind: "order", urgent: true }, match: "all" })
        direct.send("created", { n: 1 })
        direct.send("deleted", { n: -1 })
        fanout.send("whatever", { n: 2 })
        headers.send("created", { n: 3 }, { headers: { kind: "order", urgent: true } })
        headers.send("created", { n: -3 }, { headers: { kind: "order" } })
        yield* ledger.reaches(3)
        assert.deepStrictEqual(ledger.sorted(), [1, 2, 3])
      })
    )

    it.live("an exchange that is not there fails the start, and nothing of ours is declared", () =>
      Effect.gen(function* () {
        const ours = yield* service()
        const exit = yield* Effect.exit(
          ours.subscribe(fresh(), {
            events: Foreign.exchange("theirs.nowhere", { fanout: true }, { types: { "*": order() } }),
            handler: () => Effect.void
          })
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "exchange theirs.nowhere does not exist: it belongs to another system")
      })
    )

    it.live("a type that nobody lists waits, or is skipped where the subscriber says so", () =>
      Effect.gen(function* () {
        const [ours, theirs] = [yield* service(), yield* theirExchange("fanout")]
        const [waiting, skipping] = [makeLedger(), makeLedger()]
        const [Ordered, waits] = [order(), fresh()]
        const options = { types: { created: Ordered } }
        const first = yield* ours.subscribe(waits, {
          events: Foreign.exchange(theirs.name, { fanout: true }, options),
          handler: waiting.handler
        })
        yield* ours.subscribe(fresh(), {
          events: Foreign.exchange(theirs.name, { fanout: true }, { ...options, onUnknownType: "skip" }),
          handler: skipping.handler
        })
        theirs.send("DELETED", { n: 1 }, { headers: { "x-tenant": "t" } })
        theirs.send("created", { n: 2 })
        yield* skipping.reaches(1)
        yield* untilEffect(
          () => "it is put off",
          Effect.map(first.stats, ({ postponed }) => postponed > 0)
        )
        yield* first.drain
        // A deploy brings a process that knows it.
        yield* ours.subscribe(waits, {
          events: Foreign.exchange(theirs.name, { fanout: true }, { types: { ...options.types, DELETED: order() } }),
          handler: waiting.handler
        })
        yield* waiting.reaches(2)
        assert.deepStrictEqual([waiting.sorted(), skipping.sorted()], [[1, 2], [2]])
      })
    )

    it.live(
      "P11: an exchange that its owner deletes is reported, while retries go on, and bound again when it is back",
      () =>
        Effect.gen(function* () {
          const [ours, theirs] = [yield* service(), yield* theirExchange("fanout")]
          const ledger = makeLedger()
          const name = fresh()
          const subscription = yield* ours.subscribe(name, {
            events: Foreign.exchange(theirs.name, { fanout: true }, { types: { "*": order() } }),
            handler: ledger.handler
          })
          yield* Effect.promise(() => theirs.channel.deleteExchange(theirs.name))
          // Its consumer is lost and comes back without the exchange.
          yield* Effect.promise(() => theirs.channel.deleteQueue(`${ours.namespace}.sub.${name}`))
          yield* untilEffect(
            () => "it is reported",
            Effect.map(
              subscription.tree,
              ({ _tag, lag }) => _tag === "Running" && lag.fault?.includes(theirs.name) === true
            )
          )
          yield* Effect.promise(() => theirs.channel.assertExchange(theirs.name, "fanout", { durable: true }))
          yield* Effect.promise(() => theirs.channel.deleteQueue(`${ours.namespace}.sub.${name}`))
          yield* untilEffect(
            () => "it is bound again",
            Effect.map(subscription.tree, ({ _tag, lag }) => _tag === "Running" && lag.fault === undefined)
          )
          for (const n of upTo(3)) theirs.send("", { n })
          yield* ledger.reaches(3)
        })
    )
  },
  ["rabbit"]
)
