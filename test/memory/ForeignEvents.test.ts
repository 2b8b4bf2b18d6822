/** Events of another system on the embedded bus, where its exchanges and queues exist as soon as they are named. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule, Schema } from "effect"
import * as z from "zod"
import * as Foreign from "../../src/bus/Foreign.ts"
import type { Broker } from "../../src/bus/port/Broker.ts"
import * as Event from "../../src/event/Event.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { makeLedger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { send } from "../../src/ports/conformance/setup/RawMessage.ts"
import { keyed, numbered } from "../../src/ports/conformance/setup/TestEvents.ts"
import { lettersOf } from "../../src/ports/conformance/setup/Waiting.ts"

const process = Effect.suspend(() => start(processOver(Layer.merge(MemoryBroker.layer(), MemoryCache.layer))))

const emit = (broker: Broker["Service"], exchange: string, routingKey: string, body: unknown, messageId = "") =>
  send(broker, {
    to: { _tag: "Foreign", exchange, routingKey },
    key: undefined,
    body: Buffer.from(JSON.stringify(body)),
    properties: { messageId, type: "", timestamp: 0, appId: "", contentType: "application/json" },
    headers: {}
  })

const retry = Schedule.spaced("1 millis").pipe(Schedule.upTo({ times: 1 }))

describe("the embedded bus", () => {
  it.live("P17: reads a queue of another system, and replays its dead letters", () =>
    Effect.gen(function* () {
      const { broker, letters, subscribe } = yield* process
      const [Created, ledger] = [keyed(), makeLedger()]
      yield* subscribe("ours", {
        events: Foreign.queue("orders", { codec: Foreign.nest(), types: { ORDER_CREATED: Created } }),
        ordering: "key",
        retry,
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), info.replays === 0 ? Effect.fail("no") : Effect.void)
      })
      yield* emit(broker, "", "orders", { pattern: "ORDER_CREATED", data: { n: 1, k: "a" } }, "theirs-1")
      const [letter] = yield* lettersOf({ letters }, "ours", 1)
      assert.deepInclude(letter, { eventId: "theirs-1", eventType: Created.name, key: "a", reason: "Exhausted" })
      yield* letters.replay("ours")
      yield* ledger.reaches(3)
      assert.deepInclude(ledger.entries.at(-1)?.event, { id: "theirs-1", key: "a", data: { n: 1, k: "a" } })
    })
  )

  it.live(
    "P5: an event whose key is known too late for its order is a dead letter that says so, and is handled without order",
    () =>
      Effect.gen(function* () {
        const { broker, letters, subscribe } = yield* process
        const data = z.object({ n: z.number().refine(async () => true) })
        const Checked = Event.make("order.checked", { version: 1, data, key: ({ n }) => `k${n}` })
        const ledger = makeLedger()
        for (const ordering of ["key", "none"] as const)
          yield* subscribe(`checked.${ordering}`, {
            events: Foreign.queue(`checks.${ordering}`, { types: { "*": Checked } }),
            ordering,
            handler: ledger.handler
          })
        yield* emit(broker, "", "checks.key", { n: 1 })
        const [letter] = yield* lettersOf({ letters }, "checked.key", 1)
        assert.include(JSON.stringify(letter), "validates asynchronously")
        yield* emit(broker, "", "checks.none", { n: 2 })
        yield* ledger.reaches(1)
        assert.deepStrictEqual(ledger.numbers(), [2])
      })
  )

  it.live("P17: routes by topics, headers and to all", () =>
    Effect.gen(function* () {
      const { broker, subscribe } = yield* process
      const ledger = makeLedger()
      const bind = (name: string, exchange: string, binding: Foreign.ExchangeBinding) =>
        subscribe(name, {
          events: Foreign.exchange(exchange, binding, { types: { "*": numbered() } }),
          handler: ledger.handler
        })
      yield* bind("topics", "topics", { topic: "order.*" })
      yield* bind("all", "all", { fanout: true })
      yield* bind("hashed", "hashed", { consistentHash: 2 })
      const outcomes = [
        yield* emit(broker, "topics", "order.created", { n: 1 }),
        yield* emit(broker, "all", "", { n: 2 }),
        yield* emit(broker, "hashed", "7", { n: 3 }),
        yield* emit(broker, "topics", "order", { n: 4 })
      ]
      yield* ledger.reaches(3)
      assert.deepStrictEqual(ledger.sorted(), [1, 2, 3])
      assert.deepInclude(outcomes.at(-1), { _tag: "Confirmed", routed: false })
    })
  )

  it.live("bytes keep their value through a retry", () =>
    Effect.gen(function* () {
      const { broker, subscribe } = yield* process
      const Scanned = Event.make("a.scanned", { version: 1, data: Schema.Uint8Array })
      const seen: Array<Uint8Array> = []
      yield* subscribe("ours", {
        events: Foreign.queue("scans", { codec: Foreign.bytes(), types: { "*": Scanned } }),
        retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
        handler: ({ data }) => (seen.push(data) === 1 ? Effect.fail("once more") : Effect.void)
      })
      yield* emit(broker, "", "scans", "any")
      while (seen.length < 2) yield* Effect.sleep(5)
      assert.deepStrictEqual(
        seen.map((data) => Buffer.from(data).toString()),
        ['"any"', '"any"']
      )
    })
  )

  it.live("refuses what cannot work, by name", () =>
    Effect.gen(function* () {
      const { bus, subscribe } = yield* process
      const types = { "*": numbered() }
      const refusal = (events: Foreign.Events<Event.Any>) =>
        Effect.map(Effect.exit(subscribe("ours", { events, handler: () => Effect.void })), (exit) => {
          assert.isTrue(Exit.isFailure(exit))
          return String(exit)
        })
      assert.include(yield* refusal(Foreign.queue("", { types })), "no name of a queue")
      assert.include(yield* refusal(Foreign.queue("eduflow.sub.a", { types })), "belongs to this bus")
      assert.include(yield* refusal(Foreign.exchange("", { fanout: true }, { types })), "Use Foreign.queue")
      assert.include(yield* refusal(Foreign.exchange("e", { topic: [] }, { types })), "no topic key is given")
      assert.include(yield* refusal(Foreign.exchange("e", { consistentHash: 0 }, { types })), "a weight of 0")
      assert.include(yield* refusal(Foreign.exchange("e", {} as never, { types })), "what the exchange routes by")
      assert.include(yield* refusal(Foreign.queue("q", { types: {} })), "no event is listed")
      const ephemeral = yield* Effect.exit(
        Effect.scoped(bus.subscribeEphemeral({ events: Foreign.queue("q", { types }), handler: () => Effect.void }))
      )
      assert.include(String(ephemeral), "a subscriber of one process has no queue")
    })
  )
})
