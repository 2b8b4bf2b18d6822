/** Looking at dead letters, choosing among them, and sending them back (R5, R6, N2, P8). */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schedule, Scope } from "effect"
import { Reject } from "../../src/bus/BusError.ts"
import type { SendOutcome } from "../../src/bus/Broker.ts"
import { type DeadLetter, type ListOptions } from "../../src/bus/DeadLetters.ts"
import {
  type Bench,
  fresh,
  keyed,
  lettersOf,
  makeLedger,
  numbered,
  numbers,
  shared,
  start,
  until,
  untilEffect,
  upTo
} from "./Workbench.ts"

class Broken extends Error {
  readonly _tag = "Broken"
}

/** A subscriber with `count` dead letters, and their ids in the order of the queue; its handler does as it is told. */
const withLetters = Effect.fnUntraced(function* (count: number) {
  const process = yield* shared
  const Happened = numbered()
  const name = fresh()
  const ledger = makeLedger()
  const told = { broken: true }
  yield* process.bus.subscribe(name, {
    events: [Happened],
    retry: Schedule.recurs(0),
    concurrency: 1,
    handler: (event, info) =>
      Effect.suspend(() => (told.broken ? Effect.fail(new Broken("down")) : ledger.handler(event, info)))
  })
  yield* process.bus.publishAll(Happened, numbers(count))
  const ids = (yield* lettersOf(process, name, count)).map(({ eventId }) => eventId)
  return { ...process, Happened, name, ids, ledger, told }
})

/** Without the broker's own count of looks. */
const plain = ({ headers, ...letter }: DeadLetter) => ({
  ...letter,
  headers: Object.fromEntries(Object.entries(headers).filter(([header]) => header !== "x-delivery-count"))
})

/** Puts letters into the dead-letter queue of a subscriber that does not run, in this order. */
const put = Effect.fnUntraced(function* (process: Effect.Success<typeof shared>, count: number) {
  const name = fresh()
  yield* process.broker.declare({ name, ordering: "none", patterns: [fresh()] })
  const ids = upTo(count).map((n) => `${name}-${n}`)
  const send = (id: string) =>
    Effect.callback<SendOutcome>((resume) =>
      process.broker.send(
        {
          to: { _tag: "DeadLetter", subscriber: name },
          key: name,
          body: Buffer.from("{}"),
          properties: {
            messageId: id,
            type: "a.b",
            timestamp: Date.now(),
            appId: "suite",
            contentType: "application/json"
          },
          headers: {}
        },
        (outcome) => resume(Effect.succeed(outcome))
      )
    )
  const outcomes = yield* Effect.forEach(ids, send, { concurrency: "unbounded" })
  assert.isTrue(outcomes.every(({ _tag }) => _tag === "Confirmed"))
  return { ...process, name, ids }
})

/** Waits until there are so many, and tells how many there are. */
const settled = Effect.fnUntraced(function* <E>(count: Effect.Effect<number, E>, expected: number) {
  let now = -1
  yield* untilEffect(
    () => `${now} instead of ${expected}`,
    Effect.map(count, (found) => (now = found) === expected)
  )
  return now
})

/** Looks until all are back, and tells their ids. */
const untilAll = Effect.fnUntraced(function* <E>(
  list: Effect.Effect<ReadonlyArray<{ readonly eventId: string }>, E>,
  count: number
) {
  let ids: ReadonlyArray<string> = []
  yield* untilEffect(
    () => `${ids.length} of ${count}`,
    Effect.map(list, (found) => (ids = found.map(({ eventId }) => eventId)).length === count)
  )
  return ids
})

export const replayCases = ({ connect, features, it, wire }: Bench): void => {
  it.effect("N2: letters are where they were after twenty-five looks of every kind, in the same order", () =>
    Effect.gen(function* () {
      const { ids, letters, name } = yield* put(yield* shared, 130)
      const look = (options: ListOptions) =>
        Effect.map(letters.list(name, options), (found) => found.map(({ eventId }) => eventId))
      for (const round of upTo(5)) {
        assert.deepStrictEqual(yield* look({ limit: 1000 }), ids, `round ${round}`)
        assert.deepStrictEqual(yield* look({ limit: 3 }), ids.slice(0, 3))
        // Each page is asked for by the last letter of the page before.
        const paged: Array<string> = []
        for (;;) {
          const after = paged.at(-1)
          const found = yield* look(after === undefined ? {} : { after })
          if (found.length === 0) break
          assert.isAtMost(found.length, 100)
          paged.push(...found)
        }
        assert.deepStrictEqual(paged, ids)
        assert.strictEqual((yield* letters.replay(name, { dryRun: true, limit: 2 })).replayed, 2)
        assert.strictEqual((yield* letters.discard(name, { all: true, dryRun: true, limit: 5 })).discarded, 5)
      }
      assert.deepStrictEqual(yield* look({ after: "no such letter" }), [])
      assert.strictEqual(yield* letters.count(name), 130)
    })
  )

  it.effect("N2: two who look at once see disjoint parts, and nothing is missing then", () =>
    Effect.gen(function* () {
      const { broker, ids, letters, name } = yield* put(yield* shared, 100)
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
      assert.sameMembers([...(yield* untilAll(letters.list(name), 100))], [...ids])
    })
  )

  it.effect("letters are chosen by pattern, key and age", () =>
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
      const count = (options: ListOptions) => Effect.map(letters.list(name, options), ({ length }) => length)
      assert.strictEqual(yield* count({ event: `${word}.*` }), 4)
      assert.strictEqual(yield* count({ event: `${word}.#` }), 5)
      assert.strictEqual(yield* count({ event: "*" }), 0)
      assert.strictEqual(yield* count({ key: "k0" }), 3)
      assert.strictEqual(yield* count({ key: "k0", event: A.name, reason: "Rejected" }), 1)
      assert.strictEqual(yield* count({ newerThan: "1 hour" }), 5)
      assert.strictEqual(yield* count({ olderThan: "1 hour" }), 0)
      const last = (yield* letters.list(name)).at(-1)
      // Whatever is older than this very moment is all of it.
      yield* until(
        () => "the clock stands",
        () => Date.now() > (last?.lastFailure ?? 0)
      )
      assert.strictEqual(yield* count({ olderThan: 0 }), 5)
      assert.strictEqual(yield* count({ newerThan: 0 }), 0)
      const discarded = yield* letters.discard(name, { key: "k1" })
      assert.deepInclude(discarded, { discarded: 2, skipped: 3, remaining: 3, events: { [A.name]: 2 } })
      assert.strictEqual(yield* settled(letters.count(name), 3), 3)
    })
  )

  it.effect("a dry run tells what would be done, and touches nothing", () =>
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
      assert.deepStrictEqual(after.map(plain), before.map(plain))
      assert.strictEqual(ledger.entries.length, 6, "something was handled again")
      assert.deepInclude(yield* letters.replay(name), { ...would, dryRun: false, remaining: 0, replayed: 6 })
      yield* ledger.reaches(12)
    })
  )

  it.effect("what is to be discarded must be said, and what cannot be meant is an error", () =>
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
      // Callers without types say such things.
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
      assert.strictEqual(yield* settled(letters.count(name), 0), 0)
    })
  )

  it.effect("R5, P8: a poison that is replayed again and again keeps its history, until the guard stops it", () =>
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
      assert.strictEqual(yield* settled(letters.count(name), 1), 1)
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
  )

  it.effect("R5: a replay ends, though everything that it sends fails at once", () =>
    Effect.gen(function* () {
      const { letters, name } = yield* withLetters(40)
      // Slow enough that the first are back long before the last is sent.
      const report = yield* letters.replay(name, { maxReplays: Number.POSITIVE_INFINITY, rate: 200 })
      assert.deepInclude(report, { replayed: 40, skipped: 0, remaining: 0 })
      assert.strictEqual(yield* settled(letters.count(name), 40), 40)
      const found = yield* letters.list(name)
      assert.isTrue(found.every(({ replays }) => replays === 1))
    })
  )

  it.effect("R6: an interrupted replay gives back what it read, and another one goes on", () =>
    Effect.gen(function* () {
      const { ledger, letters, name, told } = yield* withLetters(30)
      told.broken = false
      const fiber = yield* Effect.forkChild(letters.replay(name, { rate: 100 }))
      yield* ledger.reaches(3)
      yield* Fiber.interrupt(fiber)
      const handled = ledger.entries.length
      assert.isBelow(handled, 30)
      const rest = yield* letters.replay(name)
      yield* ledger.reaches(30)
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(30))
      assert.strictEqual(yield* settled(letters.count(name), 0), 0)
      // What was sent was acknowledged: nothing is sent twice.
      assert.strictEqual(ledger.entries.length, 30)
      assert.isAtMost(rest.replayed, 30 - handled)
    })
  )

  it.effect("R6, P11: a replay whose connections break goes on when there are new ones", () =>
    Effect.gen(function* () {
      const { broker, ids, name } = yield* put(yield* shared, 200)
      const { connect: connectOver, cut, mend } = yield* wire
      const operator = yield* start(connectOver())
      const fiber = yield* Effect.forkChild(operator.letters.replay(name, { rate: 400 }))
      let sent = 0
      yield* untilEffect(
        () => `${sent} sent`,
        Effect.map(broker.depth(name), ({ ready }) => (sent = ready) >= 20)
      )
      yield* cut
      yield* mend
      const { remaining, replayed } = yield* Fiber.join(fiber)
      assert.strictEqual(remaining, 0)
      assert.isAtLeast(replayed, 200 - sent)
      const scope = yield* Effect.scope
      const came = new Set<string | undefined>()
      yield* broker
        .consume({
          subscriber: name,
          prefetch: 100,
          onDelivery: ({ ack, properties }) => {
            came.add(properties.messageId)
            ack()
          },
          onLost: () => {}
        })
        .pipe(Scope.provide(scope))
      yield* until(
        () => `${came.size} of 200`,
        () => came.size === 200
      )
      assert.sameMembers([...came], [...ids])
    })
  )

  it.effect("two replays of one queue at once send each letter once", () =>
    Effect.gen(function* () {
      const { ledger, letters, name, told } = yield* withLetters(60)
      told.broken = false
      const reports = yield* Effect.all([letters.replay(name), letters.replay(name), letters.replay(name)], {
        concurrency: 3
      })
      let replayed = reports.reduce((sum, report) => sum + report.replayed, 0)
      // One that held more than it sent gave it back when the others had looked already.
      yield* untilEffect(
        () => `${replayed} of 60`,
        Effect.map(letters.replay(name), (report) => (replayed += report.replayed) >= 60)
      )
      yield* ledger.reaches(60)
      assert.deepStrictEqual(ledger.sorted(), upTo(60))
      assert.strictEqual(yield* settled(letters.count(name), 0), 0)
    })
  )

  it.effect("P3: a letter of the broker's own delivery limit is listed as CrashLoop, and replayed as fresh", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const { broker, letters } = process
      const Happened = numbered()
      const name = fresh()
      yield* broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      const before = Date.now()
      const { id } = yield* process.bus.publish(Happened, { n: 1 }, { key: "k" })
      // Each time somebody takes it and goes without a word; the 21st return is one too many.
      for (const _ of upTo(21)) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const came = yield* Deferred.make<void>()
            yield* broker.consume({
              subscriber: name,
              prefetch: 1,
              onDelivery: () => void Deferred.doneUnsafe(came, Exit.void),
              onLost: () => {}
            })
            yield* Deferred.await(came)
          })
        )
      }
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { eventId: id, eventType: Happened.name, subscriber: name, reason: "CrashLoop" })
      assert.deepInclude(letter, { key: "k", replays: 0, failures: [] })
      assert.strictEqual(letter?.error.tag, "DeliveryLimit")
      // RabbitMQ tells whole seconds.
      if (features.remote) assert.isAtLeast(letter?.lastFailure ?? 0, before - 1_000)
      assert.strictEqual(
        (yield* letters.list(name, { reason: "CrashLoop", newerThan: Date.now() - before + 5000 })).length,
        1
      )
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      assert.deepInclude(yield* letters.replay(name, { reason: "CrashLoop" }), {
        replayed: 1,
        errorTags: { DeliveryLimit: 1 }
      })
      yield* ledger.reaches(1)
      assert.deepInclude(ledger.entries[0]?.info, { attempt: 1, replays: 1, redelivered: false })
      assert.strictEqual(yield* settled(letters.count(name), 0), 0)
    })
  )

  it.effect("what a replay counts does not depend on the process that does it", () =>
    Effect.gen(function* () {
      const { letters, ledger, name, told } = yield* withLetters(12)
      const other = yield* start(connect())
      told.broken = false
      assert.deepInclude(yield* other.letters.replay(name, { limit: 5 }), { replayed: 5, remaining: 7 })
      assert.deepInclude(yield* letters.replay(name), { replayed: 7, remaining: 0 })
      yield* ledger.reaches(12)
      assert.deepStrictEqual(ledger.sorted(), upTo(12))
    })
  )
}
