/** Dead letters of events that have expired, of this library and of other programs, and their replay. */
import * as Effect from "effect/Effect"
import { assert } from "../../Assert.ts"
import { shared } from "../../setup/BusProcess.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"
import { sendRaw } from "../../setup/RawMessage.ts"
import { fresh, numbered } from "../../setup/TestEvents.ts"
import { lettersOf, until } from "../../setup/Waiting.ts"
import { breakable } from "./DeadLetterSetup.ts"
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"

const past = "2026-03-04T05:06:07.000Z"

export const expiredReplayCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P8: a replay refuses what has expired, and sends it with a new time where that is asked for", () =>
    Effect.gen(function* () {
      const { Happened, ledger, name, state, ...process } = yield* breakable()
      const options = { expiresAfter: "1 second", correlationId: "c", headers: { tenant: "t" } } as const
      const { id } = yield* process.bus.publish(Happened, { n: 1 }, options)
      const { id: other } = yield* process.bus.publish(Happened, { n: 2 })
      const [letter] = yield* lettersOf(process, name, 2)
      assert.strictEqual(letter?.eventId, id)
      const expired = Date.now() + 1000
      yield* until(
        () => "it has not expired",
        () => Date.now() > expired
      )
      state.broken = false
      // Whatever its reason was: it would become a letter `Expired`.
      const dry = yield* process.letters.replay(name, { dryRun: true })
      assert.deepInclude(dry, { replayed: 1, refused: 1 })
      assert.match(dry.refusals[0] ?? "", new RegExp(`^${id}: it expired at .+expiresAfter`))
      assert.deepInclude(yield* process.letters.replay(name), { replayed: 1, refused: 1, remaining: 1 })
      yield* ledger.reaches(1)
      assert.deepInclude(ledger.entries[0]?.event, { id: other })
      assert.isFalse(Object.hasOwn(ledger.entries[0]?.event ?? {}, "expiryTime"))
      const wrong = yield* Effect.flip(process.letters.replay(name, { expiresAfter: 0 }))
      assert.match(wrong.message, /expiresAfter.+0 is not accepted.+1 millisecond to 3650 days/)
      const renewed = { expiresAfter: "1 hour" } as const
      assert.deepInclude(yield* process.letters.replay(name, { ...renewed, dryRun: true }), { replayed: 1, refused: 0 })
      const before = Date.now()
      assert.deepInclude(yield* process.letters.replay(name, renewed), { replayed: 1, refused: 0, remaining: 0 })
      yield* ledger.reaches(2)
      const last = ledger.entries[1]
      assert.deepInclude(last?.event, { id, correlationId: "c", data: { n: 1 } })
      assert.deepInclude(last?.info, { attempt: 1, replays: 1, headers: { tenant: "t" } })
      const left = (last?.event.expiryTime?.getTime() ?? 0) - before
      assert.isTrue(left >= 3_600_000 && left <= 3_600_000 + Date.now() - before, `${left}`)
    })
  ),
  brokerCase("P9: the time of an event of another program holds, in structured mode; what is no time is Invalid", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      const emit = (id: string, expirytime: unknown) =>
        sendRaw(
          process.broker,
          Happened.name,
          JSON.stringify({
            specversion: "1.0",
            id,
            source: "/meters",
            type: Happened.name,
            time: "2026-03-04T05:06:00Z",
            expirytime,
            data: { n: 7.25 }
          }),
          {},
          { messageId: id }
        )
      yield* emit("none", undefined)
      yield* emit("null", null)
      yield* emit("future", "2999-01-01T00:00:00+01:00")
      yield* emit("past", "2026-03-04T05:06:07Z")
      yield* emit("no day", "2999-02-30T00:00:00Z")
      yield* emit("a number", 1)
      const letters = yield* lettersOf(process, name, 3)
      yield* ledger.reaches(3)
      assert.deepStrictEqual(ledger.entries.map(({ event }) => event.id).toSorted(), ["future", "none", "null"])
      const reasons = Object.fromEntries(
        letters.map(({ error, eventId, reason }) => [eventId, [reason, error.message]])
      )
      assert.strictEqual(reasons["past"]?.[0], "Expired")
      assert.include(reasons["past"]?.[1] ?? "", `it expired at ${past}`)
      for (const bad of ["no day", "a number"]) {
        assert.strictEqual(reasons[bad]?.[0], "Invalid")
        assert.include(reasons[bad]?.[1] ?? "", "expirytime")
      }
      const renewed = yield* process.letters.replay(name, { reason: "Expired", expiresAfter: "1 hour" })
      assert.strictEqual(renewed.replayed, 1)
      yield* ledger.reaches(4)
      assert.deepInclude(ledger.entries[3]?.event, { id: "past", source: "/meters", data: { n: 7.25 } })
    })
  ),
  brokerCase("P8, P9: the same in binary mode, whose replay has the new time in its headers", ({ publishForeign }) =>
    Effect.gen(function* () {
      const process = yield* shared
      for (const prefix of ["cloudEvents:", "cloudEvents_", "ce-"]) {
        const Happened = numbered()
        const name = fresh()
        const ledger = makeLedger()
        yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
        const attributes = {
          specversion: "1.0",
          id: `id of ${prefix}`,
          source: "/doors",
          type: Happened.name,
          expirytime: past
        }
        const headers = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [prefix + key, value]))
        yield* publishForeign({ name: Happened.name, body: `{"n":7}`, headers, messageId: "transport" }, process.broker)
        const [letter] = yield* lettersOf(process, name, 1)
        assert.deepInclude(letter, { reason: "Expired", eventId: attributes.id, attempts: 0 })
        assert.deepInclude(yield* process.letters.replay(name), { replayed: 0, refused: 1 })
        assert.deepInclude(yield* process.letters.replay(name, { expiresAfter: "1 hour" }), { replayed: 1 })
        yield* ledger.reaches(1)
        const event = ledger.entries[0]?.event
        assert.deepInclude(event, { id: attributes.id, data: { n: 7 } })
        assert.isAbove(event?.expiryTime?.getTime() ?? 0, Date.now())
      }
    })
  )
]
