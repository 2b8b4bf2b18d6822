/** Ending: a drain is bounded (P12), and leaves the rest to the next process. */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { timerTolerance, until, untilEffect } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"

export const drainCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P12, C9, S1: a drain finishes the running handlers and leaves the rest to the next process, each event once",
    ({ connect }) =>
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
  ),
  brokerCase(
    "P12, N14: a handler that does not end in time is interrupted and its event returned, which is no attempt",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const Happened = numbered()
        const name = fresh()
        const first = yield* start(connect({ drainTimeout: "1 second" }))
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
  ),
  brokerCase(
    "P7, P12, R4: retries that wait in the process are handed over with the rest of their delay",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Happened = numbered()
        const name = fresh()
        const ledger = makeLedger()
        // Its copies have a sixth of this for their confirms. What is cut off goes back as it came.
        const first = yield* start(connect({ drainTimeout: "2 minutes" }))
        yield* first.subscribe(name, {
          events: [Happened],
          retry: Schedule.spaced("900 millis"),
          handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("no"))
        })
        yield* bus.publishAll(Happened, numbers(3))
        // The first one may run again before the last one has come.
        yield* until(
          () => `handled: ${ledger.numbers()}`,
          () => new Set(ledger.numbers()).size === 3
        )
        const tried = ledger.entries.length
        yield* first.stop
        assert.isAtMost(ledger.entries.length, tried + 3, "the drain waited for the retries")
        const next = makeLedger()
        yield* bus.subscribe(name, { events: [Happened], handler: next.handler })
        yield* next.reaches(3)
        assert.deepStrictEqual(next.sorted(), [0, 1, 2])
        for (const { at, event, info } of next.entries) {
          const before = ledger.entries.findLast((entry) => entry.event.data.n === event.data.n)
          assert.strictEqual(info.attempt, (before?.info.attempt ?? 0) + 1)
          assert.isDefined(info.firstFailure)
          assert.isAtLeast(at - (before?.at ?? 0), 900 - timerTolerance)
        }
      })
  ),
  brokerCase(
    "P12, C18, N12: handlers may publish during a drain, others may not, and every publish has its outcome",
    ({ connect }) =>
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
  ),
  brokerCase(
    "P12: closing during publishes leaves none without an outcome, and the confirmed ones arrive",
    ({ connect }) =>
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
  ),
  brokerCase("when the scope of a subscriber ends, another one handles all that is left", () =>
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
]
