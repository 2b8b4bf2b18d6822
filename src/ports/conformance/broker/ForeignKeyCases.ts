/** The key of events of other programs, their encoding and the lengths of their attributes. */
import { gzipSync } from "node:zlib"
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { shared } from "../setup/BusProcess.ts"
import { fresh, keyed, numbered, upTo } from "../setup/TestEvents.ts"
import { makeLedger, numbersOfKey } from "../setup/HandlerLedger.ts"
import { lettersOf, untilEffect } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"
import { send, sendRaw } from "../setup/RawMessage.ts"

const sentAt = Date.UTC(2026, 2, 4, 5, 6, 7)

export const foreignKeyCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P6: the key is that of the contract, for events without a subject, with a forged one, and for plain JSON",
    () =>
      Effect.gen(function* () {
        const { broker, bus } = yield* shared
        const Changed = keyed()
        const ledger = makeLedger()
        const running = new Map<string, number>()
        const overlaps: Array<string> = []
        yield* bus.subscribe(fresh(), {
          events: [Changed],
          ordering: "key",
          concurrency: 20,
          retry: Schedule.spaced("20 millis"),
          handler: (event, info) =>
            Effect.gen(function* () {
              const { k, n } = event.data
              if (running.get(k) === 1) overlaps.push(`${k}${n}`)
              running.set(k, 1)
              yield* Effect.sleep(n % 2 === 0 ? "30 millis" : "1 millis")
              running.set(k, 0)
              if (n === 1 && info.attempt === 1) return yield* Effect.fail("once more")
              return yield* ledger.handler(event, info)
            })
        })
        const forms = ["none", "forged", "plain"] as const
        for (const n of upTo(6)) {
          for (const k of forms) {
            const subject = k === "forged" ? { subject: `${n}` } : {}
            const event = { specversion: "1.0", id: `${k}${n}`, source: "/till", type: Changed.name, data: { n, k } }
            yield* sendRaw(
              broker,
              Changed.name,
              JSON.stringify(k === "plain" ? { n, k } : { ...event, ...subject }),
              {},
              { correlationId: "visit-7" }
            )
          }
        }
        yield* ledger.reaches(18)
        assert.deepStrictEqual(overlaps, [])
        for (const k of forms) assert.deepStrictEqual(numbersOfKey(ledger.entries, k), upTo(6), k)
        for (const { event } of ledger.entries) assert.strictEqual(event.correlationId, "visit-7")
      })
  ),
  brokerCase("a forged subject of a delayed event does not decide what is remembered", () =>
    Effect.gen(function* () {
      const { broker, bus, cache } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Changed], handler: ledger.handler })
      const data = { n: 1, k: "mine" }
      const event = { specversion: "1.0", id: "e", source: "s", type: Changed.name, subject: "yours", data }
      yield* send(broker, {
        to: { _tag: "DelayedEvent", name: Changed.name, seconds: 1 },
        key: undefined,
        body: JSON.stringify(event),
        properties: {
          messageId: "e",
          type: Changed.name,
          timestamp: sentAt,
          appId: "s",
          contentType: "application/json"
        },
        headers: { "bus-delayed": true }
      })
      yield* ledger.reaches(1)
      yield* untilEffect(
        () => "the event is remembered under its key",
        Effect.map(Effect.orDie(cache.last(Changed, "mine")), Option.isSome)
      )
      assert.isTrue(Option.isNone(yield* Effect.orDie(cache.last(Changed, "yours"))))
    })
  ),
  brokerCase("a body of another content encoding is refused by name, and its dead letter and replay keep it", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      const body = Buffer.from(`{"n":1}`)
      for (const contentEncoding of ["UTF-8", "identity", "latin1"])
        yield* sendRaw(process.broker, Happened.name, body, {}, { contentEncoding })
      yield* ledger.reaches(3)
      yield* sendRaw(process.broker, Happened.name, gzipSync(body), {}, { contentEncoding: "gzip" })
      const refused = Effect.map(lettersOf(process, name, 1), ([letter]) => {
        assert.deepInclude(letter, { reason: "Invalid" })
        assert.include(letter?.error.message ?? "", 'its content encoding is "gzip"')
        assert.deepStrictEqual(Buffer.from(letter?.body ?? []), gzipSync(body))
        return letter?.replays
      })
      assert.strictEqual(yield* refused, 0)
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 1)
      yield* untilEffect(
        () => "the replayed event is refused, too",
        Effect.map(refused, (replays) => replays === 1)
      )
    })
  ),
  brokerCase("a long source and subject reach the handler, a retry on the broker and a dead letter", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        ordering: "key",
        onBlocked: "park",
        retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
        handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("no"))
      })
      const source = `/${"source/".repeat(500)}`
      const subject = `${"subject ".repeat(500)}.`
      const event = { specversion: "1.0", id: "e", source, subject, type: Happened.name, data: { n: 1 } }
      yield* sendRaw(process.broker, Happened.name, JSON.stringify(event))
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Exhausted", eventId: "e", key: subject, attempts: 2 })
      for (const { event } of ledger.entries) assert.deepInclude(event, { source, key: subject })
      assert.strictEqual(ledger.entries.length, 2)
    })
  )
]
