/** A replay brings a dead letter back to its subscriber alone, as fresh, with its history (P8). */
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { shared, start } from "../../setup/BusProcess.ts"
import { fresh, numbered, numbers, upTo } from "../../setup/TestEvents.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"
import { breakable, Broken, countBecomes, withLetters } from "./DeadLetterSetup.ts"
import { lettersOf, untilEffect } from "../../setup/Waiting.ts"
import { assert } from "../../Assert.ts"

export const replayCases: ReadonlyArray<BrokerCase> = [
  brokerCase("R5, P8: a replay brings a dead letter back to its subscriber alone, as fresh, with its history", () =>
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
  ),
  brokerCase("R5: replay and discard take the selected dead letters, up to a limit, once", () =>
    Effect.gen(function* () {
      const { Happened, ledger, name, state, ...process } = yield* breakable()
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
      // Dead letters that fail again come back, and are not replayed in the same run.
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 15)
      yield* left(15)
      state.broken = false
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 15)
      yield* ledger.reaches(15)
      yield* left(0)
      assert.strictEqual(new Set(ledger.numbers()).size, 15)
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 0)
      assert.deepStrictEqual(yield* process.letters.list(name), [])
    })
  ),
  brokerCase("a replay while no process runs waits for the subscriber", ({ connect }) =>
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
  ),
  brokerCase(
    "R5, P8: a poison message that is replayed again and again keeps its history, until the replay guard stops it",
    () =>
      Effect.gen(function* () {
        const process = yield* shared
        const { letters } = process
        const Happened = numbered()
        const name = fresh()
        const ledger = makeLedger()
        yield* process.bus.subscribe(name, {
          events: [Happened],
          retry: Schedule.spaced("1 millis").pipe(Schedule.upTo({ times: 1 })),
          handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail(new Broken("poison")))
        })
        const { id } = yield* process.bus.publish(Happened, { n: 1 })
        for (const replays of upTo(3)) {
          const [letter] = yield* lettersOf(process, name, 1)
          assert.deepInclude(letter, { eventId: id, replays, attempts: 2, reason: "Exhausted" })
          assert.strictEqual(letter?.failures.length, 2 * (replays + 1))
          assert.deepInclude(yield* letters.replay(name), { replayed: 1, guarded: 0, remaining: 0 })
          yield* ledger.reaches(2 * (replays + 2))
        }
        yield* lettersOf(process, name, 1)
        const guarded = { replayed: 0, guarded: 1, remaining: 1 }
        assert.deepInclude(yield* letters.replay(name), guarded)
        assert.deepInclude(yield* letters.replay(name, { dryRun: true }), guarded)
        assert.strictEqual(yield* countBecomes(letters.count(name), 1), 1)
        for (const maxReplays of [4, Number.POSITIVE_INFINITY]) {
          assert.strictEqual((yield* letters.replay(name, { maxReplays })).replayed, 1)
          yield* lettersOf(process, name, 1)
        }
        const [letter] = yield* letters.list(name)
        assert.deepInclude(letter, { eventId: id, replays: 5, attempts: 2 })
        // Six lives of two attempts each; ten of the twelve failures are kept.
        assert.strictEqual(letter?.failures.length, 10)
        assert.deepStrictEqual(
          ledger.attempts(),
          upTo(12).map((n) => 1 + (n % 2))
        )
        assert.deepStrictEqual(
          ledger.entries.map(({ info }) => info.replays),
          upTo(12).map((n) => Math.floor(n / 2))
        )
      })
  ),
  brokerCase("R5: a replay ends, although everything that it sends fails at once", () =>
    Effect.gen(function* () {
      const { letters, name } = yield* withLetters(40)
      // Slow enough that the first are back long before the last is sent.
      const report = yield* letters.replay(name, { maxReplays: Number.POSITIVE_INFINITY, rate: 200 })
      assert.deepInclude(report, { replayed: 40, skipped: 0, remaining: 0 })
      assert.strictEqual(yield* countBecomes(letters.count(name), 40), 40)
      const found = yield* letters.list(name)
      assert.isTrue(found.every(({ replays }) => replays === 1))
    })
  ),
  brokerCase("the report of a replay does not depend on the process that runs it", ({ connect }) =>
    Effect.gen(function* () {
      const { letters, ledger, name, state } = yield* withLetters(12)
      const other = yield* start(connect())
      state.broken = false
      assert.deepInclude(yield* other.letters.replay(name, { limit: 5 }), { replayed: 5, remaining: 7 })
      assert.deepInclude(yield* letters.replay(name), { replayed: 7, remaining: 0 })
      yield* ledger.reaches(12)
      assert.deepStrictEqual(ledger.sorted(), upTo(12))
    })
  )
]
