/** A dead letter is complete (P8), within its bounds (P13), and shows no secret (P14). */
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { shared } from "../../setup/BusProcess.ts"
import { fresh, numbered, upTo } from "../../setup/TestEvents.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"
import { Broken } from "./DeadLetterSetup.ts"
import { lettersOf, until, untilEffect } from "../../setup/Waiting.ts"
import { assert } from "../../Assert.ts"
import { bytesOf } from "../../../../event/Body.ts"
import { hostname } from "node:os"
import { sensitive } from "../../../../event/sensitive/Sensitive.ts"
import { Reject } from "../../../../bus/subscriber/HandlerError.ts"
import { sendRaw } from "../../setup/RawMessage.ts"
import type { DeadLettersError, ReplayError } from "../../../../bus/deadletter/DeadLettersError.ts"
import * as Event from "../../../../event/Event.ts"

/** A function of its own: its name is in the stack. */
const broken = (message: string): Broken => new Broken(message)

export const deadLetterCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P8: a dead letter has its event and the diagnosis", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("30 millis").pipe(Schedule.upTo({ times: 2 })),
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), Effect.fail(broken(`attempt ${info.attempt}`)))
      })
      const parent = Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
      const { id } = yield* process.bus
        .publish(Happened, { n: 7 }, { key: "k", headers: { tenant: "t-1" } })
        .pipe(Effect.withParentSpan(parent))
      const [letter, ...more] = yield* lettersOf(process, name, 1)
      assert(letter !== undefined && more.length === 0)
      assert.deepInclude(letter, {
        subscriber: name,
        reason: "Exhausted",
        attempts: 3,
        eventId: id,
        eventType: Happened.name,
        replays: 0
      })
      const raw = yield* process.store
        .last(Happened.name, "k")
        .pipe(Effect.map(Option.map(({ body }) => bytesOf(body))))
      assert(raw._tag === "Some")
      assert.deepStrictEqual(letter.body, raw.value, "not the original bytes")
      assert.deepInclude(letter.error, { tag: "Broken", message: "attempt 3" })
      assert.include(letter.error.stack ?? "", "at broken ")
      const [first, , last] = ledger.entries.map(({ at }) => at)
      const [firstFailure = 0, lastFailure = 0] = [letter.firstFailure?.getTime(), letter.lastFailure?.getTime()]
      assert.isTrue(firstFailure >= (first ?? 0) - 1 && firstFailure < (last ?? 0))
      assert.isTrue(lastFailure >= (last ?? 0) - 1 && lastFailure <= Date.now())
      assert.deepStrictEqual(
        letter.failures.map(({ attempt, message, tag }) => ({ attempt, message, tag })),
        [1, 2, 3].map((attempt) => ({ attempt, message: `attempt ${attempt}`, tag: "Broken" }))
      )
      assert.deepStrictEqual(letter.failures[0]?.at, letter.firstFailure)
      assert.match(letter.traceparent ?? "", /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-0[01]$/)
      assert.include(letter.host, hostname())
      assert.match(letter.library, /^@eduflow\/events \d/)
      assert.strictEqual(letter.headers["tenant"], "t-1")
    })
  ),
  brokerCase("P14: a sensitive value is in none of the headers, even if the handler quotes it", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const name = fresh()
      const Registered = Event.make(fresh("registered"), {
        version: 1,
        data: Schema.Struct({ user: Schema.String, email: sensitive(Schema.String) })
      })
      yield* process.bus.subscribe(name, {
        events: [Registered],
        retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 1 })),
        handler: (event) =>
          Effect.fail(
            event.data.user === "a"
              ? broken(`no mail for ${event.data.email}`)
              : new Reject({ reason: `bad ${event.data.email}`, cause: broken(`it is ${event.data.email}`) })
          )
      })
      for (const user of ["a", "b"]) yield* process.bus.publish(Registered, { user, email: "hunter2@example.org" })
      for (const letter of yield* lettersOf(process, name, 2)) {
        assert.notInclude(JSON.stringify([letter.headers, letter.error, letter.failures]), "hunter2")
        assert.include(letter.body.toString(), "hunter2")
        assert.include(letter.error.stack ?? "", "at broken ", "a rejection has the stack of its cause")
      }
    })
  ),
  brokerCase("P13: a dead letter stays within its bounds, however much failed", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("5 millis").pipe(Schedule.upTo({ times: 12 })),
        handler: () =>
          Effect.fail(
            Object.assign(new Error("\u0001🎓".repeat(50_000)), {
              _tag: "T".repeat(100_000),
              stack: "s".repeat(200_000)
            })
          )
      })
      yield* process.bus.publish(Happened, { n: 1 })
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Exhausted", attempts: 13 })
      assert.strictEqual(letter?.failures.at(-1)?.attempt, 13)
      assert.isAtMost(Buffer.byteLength(JSON.stringify(letter?.headers)), 32 * 1024)
    })
  ),
  brokerCase("P3: headers that leave no room for the diagnosis do not block the event", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            Effect.fail(Object.assign(new Broken("no"), { stack: "s".repeat(20_000) }))
          )
      })
      yield* sendRaw(process.broker, Happened.name, `{"n":1}`, { large: "v".repeat(60_000), small: "kept" })
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepStrictEqual(ledger.attempts(), [1, 2])
      assert.deepInclude(letter, { reason: "Exhausted", attempts: 2 })
    })
  ),
  brokerCase("P13: a list of large dead letters stays below its bytes", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Large = Event.make(fresh("large"), { version: 1, data: Schema.String, cache: false })
      const name = fresh()
      yield* process.bus.subscribe(name, {
        events: [Large],
        retry: Schedule.recurs(0),
        handler: () => Effect.fail("no")
      })
      yield* Effect.forEach(upTo(12), () => process.bus.publish(Large, "x".repeat(1_000_000)), { concurrency: 4 })
      yield* untilEffect(
        () => "not 12",
        Effect.map(process.letters.count(name), (count) => count === 12)
      )
      const found = yield* process.letters.list(name)
      assert.isAtMost(
        found.reduce((sum, { body }) => sum + body.length, 0),
        9 * 1024 * 1024
      )
      assert.isAtLeast(found.length, 8)
      assert.strictEqual((yield* process.letters.discard(name, { all: true })).discarded, 12)
    })
  ),
  brokerCase("whoever looks at new letters gets copies of them alone, and the queue keeps its own", () =>
    Effect.gen(function* () {
      const { broker, bus, letters } = yield* shared
      const Happened = numbered()
      const [name, other] = [fresh(), fresh()]
      for (const each of [name, other])
        yield* bus.subscribe(each, {
          events: [Happened],
          concurrency: 1,
          handler: () => Effect.fail(new Reject({ reason: "no" }))
        })
      yield* bus.publish(Happened, { n: 1 })
      yield* lettersOf({ letters }, name, 1)
      const seen: Array<string | undefined> = []
      yield* broker.consumeEphemeral({
        patterns: [],
        letters: [{ _tag: "Subscriber", name }],
        prefetch: 10,
        onDelivery: ({ ack, headers, properties }) => {
          seen.push(properties.messageId)
          assert.strictEqual(headers["bus-subscriber"], name)
          ack()
        },
        onLost: () => {}
      })
      const ids = [(yield* bus.publish(Happened, { n: 2 })).id, (yield* bus.publish(Happened, { n: 3 })).id]
      yield* until(
        () => `${seen.length} of 2 copies`,
        () => seen.length >= 2
      )
      assert.deepStrictEqual(seen.toSorted(), ids.toSorted())
      yield* lettersOf({ letters }, name, 3)
      yield* lettersOf({ letters }, other, 3)
    })
  ),
  brokerCase("an unknown subscriber is an error that names it, not an empty list", () =>
    Effect.gen(function* () {
      const { letters } = yield* shared
      const name = fresh("typo")
      const asked: ReadonlyArray<Effect.Effect<unknown, DeadLettersError | ReplayError>> = [
        letters.count(name),
        letters.list(name),
        letters.replay(name),
        letters.replay(name, { dryRun: true }),
        letters.discard(name, { all: true })
      ]
      for (const ask of asked) {
        const error = yield* Effect.flip(ask)
        assert.strictEqual(error.reason._tag, "TopologyMissing")
        assert.include(error.message, name)
      }
    })
  )
]
