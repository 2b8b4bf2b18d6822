/** Events that are not handled, by the failure of the handler: a defect kills nothing (P10). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { lettersOf, statsBecome, timerTolerance, untilEffect } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"
import { Later, Reject } from "../../../bus/subscriber/HandlerError.ts"
import { sendRaw } from "../setup/RawMessage.ts"

class Busy extends Error {
  readonly _tag = "Busy"
}

export const failureCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P10, H1: a failure, a defect, a throw, a timeout and a self-interruption are failed attempts", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      let zombies: Effect.Effect<number> = Effect.succeed(0)
      const ends: ReadonlyArray<(attempt: number) => Effect.Effect<unknown, unknown>> = [
        () => Effect.fail(new Busy("failed")),
        () => Effect.die(new RangeError("died")),
        () => {
          throw new TypeError("thrown")
        },
        () => Effect.never,
        () => Effect.interrupt,
        () => Effect.fail("text"),
        () => Effect.fail(undefined),
        // It ends when its deadline is over, however late a busy machine is with that.
        () =>
          Effect.uninterruptible(
            untilEffect(
              () => "no zombie",
              Effect.map(zombies, (count) => count > 0)
            )
          )
      ]
      const subscription = yield* process.bus.subscribe(name, {
        events: [Happened],
        deadline: "100 millis",
        retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 1 })),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            Effect.suspend(() => ends[event.data.n]?.(info.attempt) ?? Effect.void)
          )
      })
      zombies = Effect.map(subscription.stats, (stats) => stats.zombies)
      yield* process.bus.publishAll(Happened, numbers(ends.length + 1))
      const letters = yield* lettersOf(process, name, ends.length)
      const reported = letters.map(
        (letter) => `${letter.attempts} ${letter.reason} ${letter.error.tag}: ${letter.error.message}`
      )
      assert.deepStrictEqual(
        reported.toSorted(),
        [
          "2 Exhausted Busy: failed",
          "2 Exhausted HandlerTimeout: the handler did not end within 100ms: make it faster, or raise the subscriber's `deadline`",
          "2 Exhausted HandlerTimeout: the handler did not end within 100ms: make it faster, or raise the subscriber's `deadline`",
          "2 Exhausted Error: the handler interrupted itself",
          "2 Exhausted RangeError: died",
          "2 Exhausted TypeError: thrown",
          "2 Exhausted string: text",
          "2 Exhausted undefined: undefined"
        ].toSorted()
      )
      yield* statsBecome(subscription, { handled: 1, retried: ends.length, deadLettered: ends.length, zombies: 0 })
      for (const n of upTo(ends.length)) {
        assert.deepStrictEqual(
          ledger.entries.filter(({ event }) => event.data.n === n).map(({ info }) => info.attempt),
          [1, 2],
          `end ${n}`
        )
      }
    })
  ),
  brokerCase("H1, N20: in one Cause, Reject wins over Later, and Later over the retry policy", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      const reject = Cause.fail(new Reject({ reason: "never" }))
      const later = Cause.fail(Later.in("50 millis"))
      const died = Cause.die(new Error("died"))
      const subscription = yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: (event, info) =>
          Effect.gen(function* () {
            yield* ledger.handler(event, info)
            if (event.data.n === 0) return yield* Effect.failCause(Cause.combine(later, Cause.combine(died, reject)))
            const times = ledger.numbers().filter((n) => n === event.data.n).length
            if (event.data.n === 1 && times < 3) return yield* Effect.failCause(Cause.combine(died, later))
          })
      })
      yield* process.bus.publishAll(Happened, numbers(2))
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Rejected", attempts: 1 })
      assert.deepInclude(letter?.error, { tag: "Reject", message: "never" })
      yield* ledger.reaches(4)
      assert.deepStrictEqual(
        ledger.entries.filter(({ event }) => event.data.n === 1).map(({ info }) => info.attempt),
        [1, 1, 1]
      )
      yield* statsBecome(subscription, { handled: 1 })
      assert.deepInclude(yield* subscription.stats, { postponed: 2, retried: 0, deadLettered: 1 })
    })
  ),
  brokerCase("N20: Later is no attempt; it is counted, and too many of them dead-letter the event", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        maxPostponed: 2,
        retry: Schedule.recurs(0),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            Effect.fail(Later.in(event.data.n === 0 ? "20 millis" : "1 second", "not now"))
          )
      })
      yield* process.bus.publishAll(Happened, numbers(2))
      const letters = yield* lettersOf(process, name, 2)
      assert.deepStrictEqual(
        ledger.attempts(),
        upTo(6).map(() => 1)
      )
      for (const letter of letters) {
        assert.deepInclude(letter, { reason: "PostponedTooOften", attempts: 0 })
        assert.strictEqual(letter.error.tag, "Later")
      }
      const slow = ledger.entries.filter(({ event }) => event.data.n === 1).map(({ at }) => at)
      for (const i of [0, 1]) assert.isAtLeast((slow[i + 1] ?? 0) - (slow[i] ?? 0), 1000 - timerTolerance)
    })
  ),
  brokerCase(
    "P9, M1, M2, M3, M4, M5, M6: an unreadable event is dead-lettered at attempt 1 with its bytes and the path, and the next one is handled",
    () =>
      Effect.gen(function* () {
        const process = yield* shared
        const Happened = numbered()
        const name = fresh()
        const ledger = makeLedger()
        yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
        const event = (more: object): string =>
          JSON.stringify({
            specversion: "1.0",
            id: "i",
            source: "s",
            type: Happened.name,
            dataschema: `urn:event:${Happened.name}:1`,
            data: { n: 1 },
            ...more
          })
        const bodies: ReadonlyArray<readonly [string | Buffer, RegExp]> = [
          ["", /empty/],
          ["no JSON", /not JSON/],
          [Buffer.from([0xff, 0xfe, 0x00]), /UTF-8/],
          ["\ufeff{}", /byte order mark/],
          ["[".repeat(5_000), /deeper than 64/],
          [`{"n":1,"__proto__":{"admin":true}}`, /__proto__/],
          [`{"n":1,"\\u005f_proto__":{"admin":true}}`, /__proto__/],
          [JSON.stringify({ n: "x".repeat(1024 * 1024) }), /the limit is 1048576/],
          [`{"n":9007199254740993}`, /integer beyond 2\^53/],
          [event({ time: "2026-02-30T00:00:00Z" }), /time/],
          [event({ specversion: "2.0" }), /specversion/],
          [event({ data: { n: "seven" } }), /data\.n/],
          [event({ data: {} }), /data\.n/],
          [event({ id: "" }), /id/],
          [event({ dataschema: `urn:event:${Happened.name}:x` }), /dataschema/],
          [event({ dataschema: "urn:event:other:1" }), /dataschema/]
        ]
        for (const [body] of bodies) yield* sendRaw(process.broker, Happened.name, body)
        yield* process.bus.publish(Happened, { n: 1 })
        yield* ledger.reaches(1)
        const letters = yield* lettersOf(process, name, bodies.length)
        assert.strictEqual(letters.length, bodies.length)
        for (const [body, why] of bodies) {
          const letter = letters.find((letter) => letter.body.equals(Buffer.from(body)))
          assert(letter !== undefined, `no dead letter has the bytes of ${String(body).slice(0, 50)}`)
          assert.deepInclude(letter, { reason: "Invalid", attempts: 1, subscriber: name })
          assert.strictEqual(letter.error.tag, "InvalidEvent")
          assert.match(letter.error.message, why)
        }
        assert.deepStrictEqual(ledger.numbers(), [1])
      })
  ),
  brokerCase("plain JSON of another program is accepted by its type", () =>
    Effect.gen(function* () {
      const { broker, bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      yield* sendRaw(broker, Happened.name, `{"n":5}`, { tenant: "t" }, { messageId: "m-5", appId: "python" })
      yield* ledger.reaches(1)
      const [entry] = ledger.entries
      assert.deepInclude(entry?.event, { id: "m-5", source: "python", type: Happened.name, data: { n: 5 } })
      assert.deepStrictEqual(entry?.info.headers, { tenant: "t" })
    })
  ),
  brokerCase("P10, H1: whatever a handler throws, fails with or returns is one failed attempt", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const circular: Record<string, unknown> = {}
      circular["self"] = circular
      const errors: ReadonlyArray<unknown> = [
        null,
        Symbol("s"),
        10n,
        Object.create(null),
        circular,
        { _tag: 7, message: {} },
        { _tag: "Reject", reason: "looks like one" },
        Object.assign(new Error("x"), { message: 7, name: null, stack: {} }),
        new AggregateError([new Error("inner")], "many")
      ]
      const odd = [() => Promise.resolve(), () => undefined, () => 7]
      const count = 2 * errors.length + odd.length
      const subscription = yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: ({ data: { n } }) =>
          n < errors.length
            ? Effect.fail(errors[n])
            : n < 2 * errors.length
              ? Effect.die(errors[n - errors.length])
              : // What code without types may return.
                ((odd[n - 2 * errors.length] ?? (() => Effect.void))() as Effect.Effect<void>)
      })
      yield* process.bus.publishAll(Happened, numbers(count + 1))
      const letters = yield* lettersOf(process, name, count)
      assert.isTrue(letters.every(({ attempts, reason }) => reason === "Exhausted" && attempts === 1))
      yield* statsBecome(subscription, { handled: 1, deadLettered: count, held: 0 })
    })
  ),
  brokerCase(
    "P10: an error that throws when it is inspected is a failed attempt and blocks no other event",
    ({ connect }) =>
      Effect.gen(function* () {
        const process = yield* start(connect())
        const Happened = numbered()
        const name = fresh()
        const raise = (): never => {
          throw new Error("trap")
        }
        const trap = new Proxy({}, { get: raise, has: raise, getPrototypeOf: raise })
        const subscription = yield* process.subscribe(name, {
          events: [Happened],
          concurrency: 1,
          retry: Schedule.recurs(0),
          handler: ({ data: { n } }) => (n === 0 ? Effect.fail(trap) : n === 1 ? Effect.die(trap) : Effect.void)
        })
        yield* process.bus.publishAll(Happened, numbers(5))
        yield* statsBecome(subscription, { handled: 3, deadLettered: 2, held: 0 })
        for (const letter of yield* lettersOf(process, name, 2))
          assert.deepInclude(letter, { reason: "Exhausted", attempts: 1 })
      })
  )
]
