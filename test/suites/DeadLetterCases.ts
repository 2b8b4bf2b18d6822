/** What could not be handled: what it tells, and what can be done with it (P8, P14). */
import { assert } from "@effect/vitest"
import { Effect, Option, Schedule, Schema, Tracer } from "effect"
import { hostname } from "node:os"
import { type DeadLettersError, Reject, type ReplayError } from "../../src/bus/BusError.ts"
import { bytesOf } from "../../src/event/Body.ts"
import * as Event from "../../src/event/Event.ts"
import { sensitive } from "../../src/event/Sensitive.ts"
import { replayCases } from "./ReplayCases.ts"
import {
  type Bench,
  fresh,
  lettersOf,
  makeLedger,
  numbered,
  numbers,
  sendRaw,
  shared,
  start,
  untilEffect,
  upTo
} from "./Workbench.ts"

class Broken extends Error {
  readonly _tag = "Broken"
}

export const deadLetterCases = (bench: Bench): void => {
  const { connect, it } = bench
  replayCases(bench)

  it.effect("P8: a dead letter tells what it was and why it is one", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("30 millis").pipe(Schedule.upTo({ times: 2 })),
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), Effect.fail(new Broken(`attempt ${info.attempt}`)))
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
      const raw = yield* process.cache.store
        .last(Happened.name, "k")
        .pipe(Effect.map(Option.map(({ body }) => bytesOf(body))))
      assert(raw._tag === "Some")
      assert.deepStrictEqual(letter.body, raw.value, "not the original bytes")
      assert.deepInclude(letter.error, { tag: "Broken", message: "attempt 3" })
      assert.include(letter.error.stack, "DeadLetterCases")
      const [first, , last] = ledger.entries.map(({ at }) => at)
      assert.isTrue((letter.firstFailure ?? 0) >= (first ?? 0) - 1 && (letter.firstFailure ?? 0) < (last ?? 0))
      assert.isTrue((letter.lastFailure ?? 0) >= (last ?? 0) - 1 && (letter.lastFailure ?? 0) <= Date.now())
      assert.deepStrictEqual(
        letter.failures.map(({ attempt, message, tag }) => ({ attempt, message, tag })),
        [1, 2, 3].map((attempt) => ({ attempt, message: `attempt ${attempt}`, tag: "Broken" }))
      )
      assert.strictEqual(letter.failures[0]?.at, letter.firstFailure)
      assert.match(letter.traceparent ?? "", /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-0[01]$/)
      assert.include(letter.host, hostname())
      assert.match(letter.library, /^@eduflow\/events \d/)
      assert.strictEqual(letter.headers["tenant"], "t-1")
    })
  )

  it.effect("P14: a sensitive value is in none of its headers, however the handler tells of it", () =>
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
              ? new Broken(`no mail for ${event.data.email}`)
              : new Reject({ reason: `bad ${event.data.email}`, cause: new Broken(`it is ${event.data.email}`) })
          )
      })
      for (const user of ["a", "b"]) yield* process.bus.publish(Registered, { user, email: "hunter2@example.org" })
      for (const letter of yield* lettersOf(process, name, 2)) {
        assert.notInclude(JSON.stringify([letter.headers, letter.error, letter.failures]), "hunter2")
        assert.include(letter.body.toString(), "hunter2")
        assert.include(letter.error.stack, "DeadLetterCases", "a rejection has the stack of its cause")
      }
    })
  )

  it.effect("P13: however much fails, an event is dead-lettered within its bounds", () =>
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
  )

  it.effect("P3: headers that leave no room for the diagnosis do not hold an event", () =>
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
  )

  it.effect("N2: looking takes nothing: after thirty looks all are still there, and can be chosen from", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const [A, B] = [numbered(), numbered()]
      const name = fresh()
      yield* process.bus.subscribe(name, {
        events: [A, B],
        retry: Schedule.recurs(0),
        handler: (event) => Effect.fail(event.data.n === 3 ? new Reject({ reason: "three" }) : new Broken("no"))
      })
      const ids = yield* Effect.forEach(numbers(4), (data) => Effect.map(process.bus.publish(A, data), ({ id }) => id))
      yield* process.bus.publish(B, { n: 9 })
      yield* lettersOf(process, name, 5)
      const { letters } = process
      for (const _ of upTo(30)) assert.strictEqual((yield* letters.list(name)).length, 5)
      assert.strictEqual(yield* letters.count(name), 5)
      const count = (selection: Parameters<typeof letters.list>[1]) =>
        Effect.map(letters.list(name, selection), ({ length }) => length)
      assert.strictEqual(yield* count({ event: A.name }), 4)
      assert.strictEqual(yield* count({ reason: "Rejected" }), 1)
      assert.strictEqual(yield* count({ errorTag: "Broken" }), 4)
      assert.strictEqual(yield* count({ ids: ids.slice(0, 2) }), 2)
      assert.strictEqual(yield* count({ ids: ids.slice(0, 2), event: B.name }), 0)
      assert.strictEqual(yield* count({ limit: 3 }), 3)
      assert.strictEqual(yield* count({ limit: 0 }), 0)
      assert.strictEqual(yield* letters.count(name), 5)
    })
  )

  it.effect("R5, P8: replay brings it back to its subscriber alone, as fresh, with its history", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const [name, other] = [fresh(), fresh()]
      const [ledger, others] = [makeLedger(), makeLedger()]
      let broken = true
      yield* process.bus.subscribe(other, { events: [Happened], handler: others.handler })
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 1 })),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            Effect.suspend(() => (broken ? Effect.fail(new Broken("down")) : Effect.void))
          )
      })
      const { id } = yield* process.bus.publish(Happened, { n: 1 }, { headers: { tenant: "t" }, correlationId: "c" })
      yield* lettersOf(process, name, 1)
      // Still broken: it fails again, from its first attempt on, and is a dead letter again.
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 1)
      yield* ledger.reaches(4)
      const [again] = yield* lettersOf(process, name, 1)
      assert.deepStrictEqual(ledger.attempts(), [1, 2, 1, 2])
      assert.deepInclude(again, { attempts: 2, replays: 1, eventId: id, reason: "Exhausted" })
      assert.strictEqual(again?.failures.length, 4, "its history is kept")
      broken = false
      assert.strictEqual((yield* process.letters.replay(name, { ids: [id] })).replayed, 1)
      yield* ledger.reaches(5)
      const last = ledger.entries.at(-1)
      assert.deepInclude(last?.event, { id, correlationId: "c", data: { n: 1 } })
      assert.deepInclude(last?.info, { attempt: 1, replays: 2, firstFailure: undefined, headers: { tenant: "t" } })
      yield* untilEffect(
        () => "not empty",
        Effect.map(process.letters.count(name), (count) => count === 0)
      )
      assert.deepStrictEqual(others.attempts(), [1])
    })
  )

  it.effect("R5: replay and discard take what was chosen, up to a limit, once", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      let broken = true
      yield* process.bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: (event, info) => Effect.suspend(() => (broken ? Effect.fail("down") : ledger.handler(event, info)))
      })
      yield* process.bus.publishAll(Happened, numbers(20))
      yield* lettersOf(process, name, 20)
      const left = (count: number) =>
        untilEffect(
          () => `not ${count} left`,
          Effect.map(process.letters.count(name), (now) => now === count)
        )
      assert.strictEqual((yield* process.letters.discard(name, { all: true, limit: 5 })).discarded, 5)
      yield* left(15)
      assert.strictEqual((yield* process.letters.discard(name, { event: "other.event" })).discarded, 0)
      // What is replayed while everything still fails comes back, and is not replayed in the same run.
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 15)
      yield* left(15)
      broken = false
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 15)
      yield* ledger.reaches(15)
      yield* left(0)
      assert.strictEqual(new Set(ledger.numbers()).size, 15)
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 0)
      assert.deepStrictEqual(yield* process.letters.list(name), [])
    })
  )

  it.effect("replay while nobody runs: it waits for the subscriber", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const first = yield* start(connect())
      yield* first.subscribe(name, { events: [Happened], retry: Schedule.recurs(0), handler: () => Effect.fail("no") })
      yield* process.bus.publishAll(Happened, numbers(10))
      yield* lettersOf(process, name, 10)
      yield* first.stop
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 10)
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* ledger.reaches(10)
      assert.deepStrictEqual(ledger.sorted(), upTo(10))
      assert.isTrue(ledger.entries.every(({ info }) => info.replays === 1 && info.attempt === 1))
    })
  )

  it.effect("P13: a bounded list of large letters stays below its bytes", () =>
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
  )

  it.effect("a subscriber that never was is an error that names it, not an empty list", () =>
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
}
