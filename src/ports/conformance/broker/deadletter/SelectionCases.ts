/** Reading dead letters removes none of them; filters select among them. */
import type { DeadLetters } from "../../../../bus/deadletter/DeadLetters.ts"
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { shared } from "../../setup/BusProcess.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../../setup/TestEvents.ts"
import { Reject } from "../../../../bus/subscriber/HandlerError.ts"
import { Broken, countBecomes, listBecomes, putLetters, withLetters } from "./DeadLetterSetup.ts"
import { lettersOf, until } from "../../setup/Waiting.ts"
import { assert } from "../../Assert.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"

export const selectionCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "N2: listing removes nothing: after thirty lists all dead letters are still there, and filters select among them",
    () =>
      Effect.gen(function* () {
        const process = yield* shared
        const [A, B] = [numbered(), numbered()]
        const name = fresh()
        yield* process.bus.subscribe(name, {
          events: [A, B],
          retry: Schedule.recurs(0),
          handler: (event) => Effect.fail(event.data.n === 3 ? new Reject({ reason: "three" }) : new Broken("no"))
        })
        const ids = yield* Effect.forEach(numbers(4), (data) =>
          Effect.map(process.bus.publish(A, data), ({ id }) => id)
        )
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
  ),
  brokerCase(
    "P8: a dead letter is the same each time that it is looked at: the broker's own counts are not in it",
    () =>
      Effect.gen(function* () {
        const { letters, name } = yield* putLetters(yield* shared, 3)
        const first = yield* letters.list(name)
        assert.strictEqual(first.length, 3)
        for (const round of upTo(4)) {
          const found = yield* letters.list(name)
          assert.deepStrictEqual(found, first, `look ${round}`)
          for (const { headers } of found)
            for (const count of ["x-delivery-count", "x-acquired-count"]) assert.isFalse(count in headers, count)
        }
      })
  ),
  brokerCase("N2: dead letters keep their order through twenty-five reads of every kind", () =>
    Effect.gen(function* () {
      const { ids, letters, name } = yield* putLetters(yield* shared, 130)
      const look = (options: DeadLetters.ListOptions) =>
        Effect.map(letters.list(name, options), (found) => found.map(({ eventId }) => eventId))
      for (const round of upTo(5)) {
        assert.deepStrictEqual(yield* look({ limit: 1000 }), ids, `round ${round}`)
        assert.deepStrictEqual(yield* look({ limit: 3 }), ids.slice(0, 3))
        // Each page starts after the last dead letter of the page before.
        const paged: Array<string> = []
        for (let after: string | undefined; ;) {
          const found = yield* letters.list(name, after === undefined ? {} : { after })
          if (found.length === 0) break
          assert.isAtMost(found.length, 100)
          paged.push(...found.map(({ eventId }) => eventId))
          after = found.at(-1)?.cursor
        }
        assert.deepStrictEqual(paged, ids)
        assert.strictEqual((yield* letters.replay(name, { dryRun: true, limit: 2 })).replayed, 2)
        assert.strictEqual((yield* letters.discard(name, { all: true, dryRun: true, limit: 5 })).discarded, 5)
      }
      const { message } = yield* Effect.flip(look({ after: "0:no such letter" }))
      assert.include(message, "is not in the queue any more")
      assert.strictEqual(yield* letters.count(name), 130)
    })
  ),
  brokerCase("N2: two readers at once see disjoint parts, and nothing is missing afterwards", () =>
    Effect.gen(function* () {
      const { broker, ids, letters, name } = yield* putLetters(yield* shared, 100)
      const scope = yield* Scope.fork(yield* Effect.scope)
      const reader = yield* broker.readDeadLetters({ _tag: "Subscriber", name }).pipe(Scope.provide(scope))
      const mine: Array<string | undefined> = []
      for (const _ of upTo(3)) mine.push((yield* reader.next)?.properties.messageId)
      assert.deepStrictEqual(mine, ids.slice(0, 3))
      const theirs = (yield* letters.list(name)).map(({ eventId }) => eventId)
      // A reader may hold more than it has shown.
      assert.isAtLeast(theirs.length, 30)
      assert.deepStrictEqual(theirs, ids.slice(-theirs.length))
      assert.isAtMost(theirs.length, 97)
      yield* Scope.close(scope, Exit.void)
      assert.sameMembers([...(yield* listBecomes(letters.list(name), 100))], [...ids])
    })
  ),
  brokerCase("dead letters are selected by pattern, key and age", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const { letters } = process
      const word = fresh()
      const [A, B] = [keyed(`${word}.a`), keyed(`${word}.b.c`)]
      const name = fresh()
      yield* process.bus.subscribe(name, {
        events: [A, B],
        retry: Schedule.recurs(0),
        handler: (event) => Effect.fail(event.data.n === 2 ? new Reject({ reason: "two" }) : new Broken("no"))
      })
      for (const n of upTo(4)) yield* process.bus.publish(A, { n, k: `k${n % 2}` })
      yield* process.bus.publish(B, { n: 9, k: "k0" })
      yield* lettersOf(process, name, 5)
      const count = (options: DeadLetters.ListOptions) =>
        Effect.map(letters.list(name, options), ({ length }) => length)
      assert.strictEqual(yield* count({ event: `${word}.*` }), 4)
      assert.strictEqual(yield* count({ event: `${word}.#` }), 5)
      assert.strictEqual(yield* count({ event: "*" }), 0)
      assert.strictEqual(yield* count({ key: "k0" }), 3)
      assert.strictEqual(yield* count({ key: "k0", event: A.name, reason: "Rejected" }), 1)
      assert.strictEqual(yield* count({ newerThan: "1 hour" }), 5)
      assert.strictEqual(yield* count({ olderThan: "1 hour" }), 0)
      const last = (yield* letters.list(name)).at(-1)
      // All of them are older than this moment.
      yield* until(
        () => "the clock stands",
        () => Date.now() > (last?.lastFailure?.getTime() ?? 0)
      )
      assert.strictEqual(yield* count({ olderThan: 0 }), 5)
      assert.strictEqual(yield* count({ newerThan: 0 }), 0)
      const discarded = yield* letters.discard(name, { key: "k1" })
      assert.deepInclude(discarded, { discarded: 2, skipped: 3, remaining: 3, events: { [A.name]: 2 } })
      assert.strictEqual(yield* countBecomes(letters.count(name), 3), 3)
    })
  ),
  brokerCase("a dry run reports what would be done, and changes nothing", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const { letters } = process
      const [A, B] = [numbered(), numbered()]
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [A, B],
        retry: Schedule.recurs(0),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            Effect.fail(event.data.n > 2 ? new Reject({ reason: "above two" }) : new Broken("no"))
          )
      })
      yield* process.bus.publishAll(A, numbers(5))
      yield* process.bus.publish(B, { n: 1 })
      const before = yield* lettersOf(process, name, 6)
      const would = {
        dryRun: true,
        skipped: 0,
        remaining: 6,
        events: { [A.name]: 5, [B.name]: 1 },
        reasons: { Exhausted: 4, Rejected: 2 },
        errorTags: { Broken: 4, Reject: 2 }
      }
      assert.deepInclude(yield* letters.replay(name, { dryRun: true }), { ...would, replayed: 6, guarded: 0 })
      assert.deepInclude(yield* letters.discard(name, { all: true, dryRun: true }), { ...would, discarded: 6 })
      const some = yield* letters.replay(name, { dryRun: true, errorTag: "Broken", event: A.name })
      assert.deepInclude(some, { replayed: 3, skipped: 3, errorTags: { Broken: 3 } })
      const after = yield* letters.list(name)
      assert.deepStrictEqual(after, before)
      assert.strictEqual(ledger.entries.length, 6, "something was handled again")
      assert.deepInclude(yield* letters.replay(name), { ...would, dryRun: false, remaining: 0, replayed: 6 })
      yield* ledger.reaches(12)
    })
  ),
  brokerCase("discard without a selection is an error, and so are impossible options", () =>
    Effect.gen(function* () {
      const { letters, name } = yield* withLetters(2)
      const unsaid = [
        letters.discard(name, {}),
        letters.discard(name, { limit: 1 }),
        letters.discard(name, { dryRun: true })
      ]
      for (const ask of unsaid) {
        const error = yield* Effect.flip(ask)
        assert.strictEqual(error.reason._tag, "Settings")
        assert.include(error.message, "{ all: true }")
      }
      // Code without types may pass such values.
      const age = "soon" as "1 hour"
      for (const options of [{ limit: -1 }, { limit: Number.NaN }, { olderThan: age }, { newerThan: age }]) {
        assert.strictEqual((yield* Effect.flip(letters.list(name, options))).reason._tag, "Settings")
        const error = yield* Effect.flip(letters.discard(name, { all: true, ...options }))
        assert.strictEqual(error.reason._tag, "Settings")
        assert.deepInclude(yield* Effect.flip(letters.replay(name, options)), { source: name, replayed: 0 })
      }
      for (const rate of [0, -1, Number.NaN]) {
        assert.include((yield* Effect.flip(letters.replay(name, { rate }))).message, "rate")
      }
      assert.strictEqual(yield* letters.count(name), 2)
      assert.strictEqual((yield* letters.discard(name, { all: true })).discarded, 2)
      assert.strictEqual(yield* countBecomes(letters.count(name), 0), 0)
    })
  )
]
