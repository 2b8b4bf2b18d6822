/** Starting and ending: what cannot start, and what a drain leaves behind (P12, P16). */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule, SubscriptionRef } from "effect"
import {
  type Bench,
  fresh,
  keyed,
  makeLedger,
  numbered,
  numbers,
  shared,
  start,
  timerTolerance,
  until,
  untilEffect,
  upTo
} from "./Workbench.ts"

export const lifeCases = ({ connect, it }: Bench): void => {
  it.effect("options that cannot be are told by name, and nothing is left of the attempt", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const name = fresh()
      const works = { events: [Happened], handler: () => Effect.void }
      const wrong = (value: unknown): never => value as never
      const cases: ReadonlyArray<readonly [string, string, object]> = [
        ["name", "", {}],
        ["name", "Upper.Case", {}],
        ["name", "a..b", {}],
        ["name", "x".repeat(201), {}],
        ["name", "a.*", {}],
        ["name", wrong(7), {}],
        ["events", name, { events: [] }],
        ["events", name, { events: [Happened, numbered(Happened.name)] }],
        ["concurrency", name, { concurrency: 0 }],
        ["concurrency", name, { concurrency: 1.5 }],
        ["concurrency", name, { concurrency: Number.NaN }],
        ["prefetch", name, { prefetch: 0 }],
        ["prefetch", name, { prefetch: 65_536 }],
        ["deadline", name, { deadline: 0 }],
        ["deadline", name, { deadline: "26 minutes" }],
        ["deadline", name, { deadline: wrong("soon") }],
        ["maxPostponed", name, { maxPostponed: 0 }],
        ["retry", name, { ordering: "key", retry: Schedule.spaced("11 minutes") }],
        ["retry", name, { ordering: "key", retry: Schedule.exponential("1 second") }]
      ]
      for (const [option, subscriber, more] of cases) {
        const error = yield* Effect.flip(bus.subscribe(subscriber, { ...works, ...more }))
        assert(error.reason._tag === "Invalid", `${option}: ${error.message}`)
        assert.strictEqual(error.reason.option, option)
        assert.isFalse(error.isRetryable)
      }
      assert.deepStrictEqual(
        (yield* bus.subscriptions).filter((subscription) => subscription.name === name),
        []
      )
      yield* bus.subscribe(name, { ...works, retry: Schedule.spaced("11 minutes") })
    })
  )

  it.effect(
    "P16: another `ordering` is another queue: a mismatch that names it and the remedy, and hurts nobody else",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Changed = keyed()
        for (const [before, after] of [
          ["none", "key"],
          ["key", "none"]
        ] as const) {
          const name = fresh()
          const process = yield* start(connect())
          const sibling = makeLedger()
          yield* process.subscribe(fresh(), { events: [Changed], handler: sibling.handler })
          yield* bus.subscribe(name, { events: [Changed], ordering: before, handler: () => Effect.void })
          const error = yield* Effect.flip(
            process.subscribe(name, { events: [Changed], ordering: after, handler: () => Effect.void })
          )
          assert(error.reason._tag === "TopologyMismatch", error.message)
          assert.include(error.reason.entity, name)
          assert.match(error.reason.argument, /single-active-consumer/)
          assert.match(error.reason.remedy, /name/)
          assert.isFalse(error.isRetryable)
          yield* bus.publish(Changed, { n: 1, k: "k" })
          yield* sibling.reaches(1)
          yield* process.stop
        }
      })
  )

  it.effect("P12, C9, S1: a drain finishes what runs, and gives the rest to the next process, each once", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      const gate = yield* Deferred.make<void>()
      const started: Array<number> = []
      const first = yield* start(connect())
      const subscription = yield* first.subscribe(name, {
        events: [Happened],
        concurrency: 3,
        prefetch: 50,
        handler: (event, info) =>
          Effect.sync(() => void started.push(event.data.n)).pipe(
            Effect.andThen(Deferred.await(gate)),
            Effect.andThen(ledger.handler(event, info))
          )
      })
      yield* bus.publishAll(Happened, numbers(40))
      yield* until(
        () => `${started.length} started`,
        () => started.length === 3
      )
      const stopping = yield* Effect.forkChild(first.stop, { startImmediately: true })
      yield* untilEffect(
        () => "not draining",
        Effect.map(SubscriptionRef.get(subscription.status), ({ _tag }) => _tag === "Draining")
      )
      const next = makeLedger()
      yield* bus.subscribe(name, { events: [Happened], handler: next.handler })
      assert.strictEqual(ledger.entries.length, 0)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(
        ledger.sorted(),
        started.toSorted((a, b) => a - b)
      )
      assert.strictEqual(started.length, 3, "one was started while it drained")
      yield* next.reaches(37)
      assert.deepStrictEqual(
        [...ledger.numbers(), ...next.numbers()].toSorted((a, b) => a - b),
        upTo(40)
      )
      assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Stopped")
      assert.isTrue(
        next.entries.every(({ info }) => info.attempt === 1),
        "giving back is no attempt"
      )
    })
  )

  it.effect("P12, N14: a handler that does not end in time is interrupted, and its event given back: no attempt", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const Happened = numbered()
      const name = fresh()
      const first = yield* start(connect({ drain: "1 second" }))
      const interrupted = yield* Deferred.make<void>()
      const running = yield* Deferred.make<void>()
      yield* first.subscribe(name, {
        events: [Happened],
        handler: () =>
          Deferred.succeed(running, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
      })
      yield* bus.publish(Happened, { n: 1 })
      yield* Deferred.await(running)
      yield* first.stop
      yield* Deferred.await(interrupted)
      const ledger = makeLedger()
      yield* bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* ledger.reaches(1)
      assert.deepInclude(ledger.entries[0]?.info, { attempt: 1, firstFailure: undefined, redelivered: true })
      assert.strictEqual(yield* letters.count(name), 0)
    })
  )

  it.effect("P7, P12, R4: retries that wait in the process are handed over with what is left of their time", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      const first = yield* start(connect())
      yield* first.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("900 millis"),
        handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("no"))
      })
      yield* bus.publishAll(Happened, numbers(3))
      yield* ledger.reaches(3)
      yield* first.stop
      assert.strictEqual(ledger.entries.length, 3, "the drain waited for the retries")
      const next = makeLedger()
      yield* bus.subscribe(name, { events: [Happened], handler: next.handler })
      yield* next.reaches(3)
      for (const { at, event, info } of next.entries) {
        assert.strictEqual(info.attempt, 2)
        assert.isDefined(info.firstFailure)
        const before = ledger.entries.find((entry) => entry.event.data.n === event.data.n)
        assert.isAtLeast(at - (before?.at ?? 0), 900 - timerTolerance)
      }
    })
  )

  it.effect(
    "P12, C18, N12: handlers may publish while it drains, others may not, and every publish has its outcome",
    () =>
      Effect.gen(function* () {
        const shop = yield* shared
        const [Asked, Answered] = [numbered(), numbered()]
        const ledger = makeLedger()
        yield* shop.bus.subscribe(fresh(), { events: [Answered], handler: ledger.handler })
        const process = yield* start(connect())
        const gate = yield* Deferred.make<void>()
        const running = yield* Deferred.make<void>()
        const subscription = yield* process.subscribe(fresh(), {
          events: [Asked],
          handler: (event) =>
            Deferred.succeed(running, undefined).pipe(
              Effect.andThen(Deferred.await(gate)),
              Effect.andThen(process.bus.publish(Answered, event.data))
            )
        })
        yield* process.bus.publish(Asked, { n: 5 })
        yield* Deferred.await(running)
        const draining = yield* Effect.forkChild(process.bus.drain, { startImmediately: true })
        yield* untilEffect(
          () => "not draining",
          Effect.map(SubscriptionRef.get(subscription.status), ({ _tag }) => _tag === "Draining")
        )
        const late = yield* Effect.forkChild(
          Effect.flip(process.bus.publish(Answered, { n: 6 }, { timeout: "10 seconds" })),
          { startImmediately: true }
        )
        yield* Deferred.succeed(gate, undefined)
        assert.isTrue(yield* Fiber.join(draining))
        yield* ledger.reaches(1)
        assert.strictEqual((yield* Fiber.join(late)).reason._tag, "Unavailable")
        const after = yield* Effect.flip(process.bus.publish(Answered, { n: 7 }))
        assert(after.reason._tag === "Unavailable")
        assert.strictEqual(after.reason.cause._tag, "Closed")
        assert.deepStrictEqual(ledger.numbers(), [5])
      })
  )

  it.effect(
    "P12: closing in the middle of publishing leaves no publish without an outcome; the confirmed ones arrive",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Happened = numbered()
        const ledger = makeLedger()
        yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
        const process = yield* start(connect())
        const confirmed: Array<number> = []
        const failed: Array<string> = []
        const publishers = yield* Effect.forEach(upTo(20), (publisher) =>
          Effect.forEach(
            numbers(500, publisher * 500),
            (data) =>
              Effect.matchEffect(process.bus.publish(Happened, data), {
                onSuccess: () => Effect.sync(() => void confirmed.push(data.n)),
                onFailure: (error) => Effect.sync(() => void failed.push(error.reason._tag))
              }),
            { discard: true }
          ).pipe(Effect.forkChild)
        )
        yield* until(
          () => `${confirmed.length} confirmed`,
          () => confirmed.length > 200
        )
        yield* process.stop
        yield* Effect.forEach(publishers, Fiber.join)
        assert.strictEqual(confirmed.length + failed.length, 10_000)
        assert.deepStrictEqual(
          [...new Set(failed)].filter((tag) => tag !== "Unavailable" && tag !== "Unknown"),
          []
        )
        yield* ledger.reaches(confirmed.length)
        const handled = new Set(ledger.numbers())
        assert.deepStrictEqual(
          confirmed.filter((n) => !handled.has(n)),
          []
        )
        assert.strictEqual(handled.size, ledger.entries.length, "one was handled twice")
      })
  )

  it.effect("stopped by its scope, another one goes on with all that is left", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const name = fresh()
      const [first, second] = [makeLedger(), makeLedger()]
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* bus.subscribe(name, {
            events: [Happened],
            concurrency: 1,
            handler: (event, info) => Effect.delay(first.handler(event, info), 3)
          })
          yield* bus.publishAll(Happened, numbers(20))
          yield* first.reaches(5)
        })
      )
      yield* bus.publishAll(Happened, numbers(20, 20))
      yield* bus.subscribe(name, { events: [Happened], handler: second.handler })
      yield* second.reaches(40 - first.entries.length)
      assert.deepStrictEqual(
        [...first.numbers(), ...second.numbers()].toSorted((a, b) => a - b),
        upTo(40)
      )
    })
  )
}
