/** When a failed attempt is repeated, and where it waits until then: never early (P7), blocking no other (P5). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { assert } from "../Assert.ts"
import { lettersOf, statsBecome, timerTolerance } from "../setup/Waiting.ts"
import { Later } from "../../../bus/subscriber/HandlerError.ts"

export const retryCases: ReadonlyArray<BrokerCase> = [
  brokerCase("events that fail at first are handled in the end", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        retry: Schedule.spaced("20 millis"),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            info.attempt <= event.data.n % 3 ? Effect.fail("not yet") : Effect.void
          )
      })
      yield* bus.publishAll(Happened, numbers(99))
      yield* ledger.reaches(99 + 33 + 66)
      for (const n of upTo(99)) {
        const attempts = ledger.entries.filter(({ event }) => event.data.n === n).map(({ info }) => info.attempt)
        assert.deepStrictEqual(
          attempts,
          upTo((n % 3) + 1).map((i) => i + 1)
        )
      }
    })
  ),
  brokerCase("P7, N18, N19: a retry below a second waits in the process, and is never early", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        retry: Schedule.exponential("100 millis"),
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), info.attempt < 4 ? Effect.fail("again") : Effect.void)
      })
      yield* bus.publish(Happened, { n: 0 })
      yield* ledger.reaches(4)
      assert.deepStrictEqual(ledger.attempts(), [1, 2, 3, 4])
      const waits = ledger.entries.slice(1).map(({ at }, i) => at - (ledger.entries[i]?.at ?? 0))
      for (const [i, wait] of waits.entries()) assert.isAtLeast(wait, 100 * 2 ** i - timerTolerance)
      // It did not go through the broker, which would have taken a second each time.
      assert.isTrue(ledger.entries.every(({ info }) => !info.redelivered))
      const [, second, ...others] = ledger.entries.map(({ info }) => info.firstFailure?.getTime())
      assert.isDefined(second)
      assert.deepStrictEqual(others, [second, second])
    })
  ),
  brokerCase(
    "P7, N3, N19, H3: a retry from a second up waits on the broker: several retries over several levels, each with its attempt",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Happened = numbered()
        const ledger = makeLedger()
        const seconds = [1, 2, 3]
        const subscription = yield* bus.subscribe(fresh(), {
          events: [Happened],
          retry: (error: unknown) => Schedule.spaced(Duration.seconds(typeof error === "number" ? error : 60)),
          handler: (event, info) =>
            Effect.andThen(
              ledger.handler(event, info),
              info.attempt <= seconds.length ? Effect.fail(seconds[info.attempt - 1]) : Effect.void
            )
        })
        const { id } = yield* bus.publish(
          Happened,
          { n: 7 },
          { headers: { tenant: "t-1" }, key: "k", correlationId: "c" }
        )
        yield* ledger.reaches(4)
        assert.deepStrictEqual(ledger.attempts(), [1, 2, 3, 4])
        for (const [i, wait] of seconds.entries()) {
          const [before, after] = [ledger.entries[i], ledger.entries[i + 1]]
          assert.isAtLeast((after?.at ?? 0) - (before?.at ?? 0), wait * 1000 - timerTolerance)
        }
        const firstFailure = ledger.entries[1]?.info.firstFailure?.getTime() ?? 0
        assert.isAtLeast(firstFailure, (ledger.entries[0]?.at ?? Number.MAX_VALUE) - timerTolerance)
        for (const { event, info } of ledger.entries.slice(1)) {
          assert.strictEqual(info.firstFailure?.getTime(), firstFailure)
          assert.deepStrictEqual(info.headers, { tenant: "t-1" })
          assert.deepInclude(event, { id, key: "k", correlationId: "c", data: { n: 7 } })
        }
        yield* statsBecome(subscription, { handled: 1, retried: 3, deadLettered: 0, held: 0 })
      })
  ),
  brokerCase("P7, N19: a retry on the broker survives its process, and reaches this subscriber alone", ({ connect }) =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const [name, other] = [fresh(), fresh()]
      const [ledger, others] = [makeLedger(), makeLedger()]
      yield* bus.subscribe(other, { events: [Happened], handler: others.handler })
      const first = yield* start(connect())
      yield* first.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("2 seconds"),
        handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("down"))
      })
      yield* bus.publish(Happened, { n: 1 })
      yield* ledger.reaches(1)
      yield* first.stop
      yield* bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      yield* ledger.reaches(2)
      assert.deepStrictEqual(ledger.attempts(), [1, 2])
      assert.isAtLeast((ledger.entries[1]?.at ?? 0) - (ledger.entries[0]?.at ?? 0), 2000 - timerTolerance)
      assert.deepStrictEqual(others.attempts(), [1])
    })
  ),
  brokerCase("P5, N18: an event that waits for its retry blocks no other event", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      // Far longer than a busy machine needs for the others; and so short that those that wait come back.
      for (const [delay, runs] of [
        ["1 hour", 60],
        ["900 millis", 65]
      ] as const) {
        const Happened = numbered()
        const ledger = makeLedger()
        yield* bus.subscribe(fresh(), {
          events: [Happened],
          concurrency: 1,
          retry: Schedule.spaced(delay),
          handler: (event, info) =>
            Effect.andThen(
              ledger.handler(event, info),
              event.data.n < 5 && info.attempt === 1 ? Effect.fail("wait") : Effect.void
            )
        })
        yield* bus.publishAll(Happened, numbers(60))
        yield* ledger.reaches(runs)
        const ran = (attempt: number): ReadonlyArray<number> =>
          ledger.entries
            .filter(({ info }) => info.attempt === attempt)
            .map(({ event }) => event.data.n)
            .toSorted((x, y) => x - y)
        assert.deepStrictEqual(ran(1), upTo(60))
        assert.deepStrictEqual(ran(2), upTo(runs - 60))
      }
    })
  ),
  brokerCase("a retry policy that throws, or a Schedule that fails, dead-letters the event", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const [a, b] = [fresh(), fresh()]
      const broken = Schedule.tap(Schedule.spaced("10 millis"), () => Effect.die("schedule"))
      yield* process.bus.subscribe(a, {
        events: [Happened],
        retry: () => {
          throw new Error("policy")
        },
        handler: () => Effect.fail("no")
      })
      yield* process.bus.subscribe(b, {
        events: [Happened],
        retry: broken,
        handler: () => Effect.fail("no")
      })
      yield* process.bus.publish(Happened, { n: 1 })
      for (const name of [a, b])
        assert.deepInclude((yield* lettersOf(process, name, 1))[0], { reason: "Exhausted", attempts: 1 })
    })
  ),
  brokerCase("P3: an endless delay or a broken retry policy blocks no other event", ({ connect }) =>
    Effect.gen(function* () {
      const process = yield* start(connect())
      const Happened = numbered()
      const [later, spaced, none] = [fresh(), fresh(), fresh()]
      const ledger = makeLedger()
      const putOff = yield* process.subscribe(later, {
        events: [Happened],
        handler: (event, info) =>
          event.data.n === 0 ? Effect.fail(Later.in("1000 days")) : ledger.handler(event, info)
      })
      const retried = yield* process.subscribe(spaced, {
        events: [Happened],
        retry: Schedule.spaced(Duration.infinity),
        handler: (event) => (event.data.n === 0 ? Effect.fail("no") : Effect.void)
      })
      // Code without types may return this.
      const retry = (() => undefined) as never
      yield* process.subscribe(none, {
        events: [Happened],
        retry,
        handler: (event) => (event.data.n === 0 ? Effect.fail("no") : Effect.void)
      })
      yield* process.bus.publishAll(Happened, numbers(5))
      yield* ledger.reaches(4)
      yield* statsBecome(putOff, { postponed: 1, handled: 4, held: 0 })
      yield* statsBecome(retried, { retried: 1, handled: 4, held: 0 })
      assert.deepInclude((yield* lettersOf(process, none, 1))[0], { reason: "Exhausted", attempts: 1 })
      assert.deepInclude(yield* SubscriptionRef.get(putOff.status), { _tag: "Running", restarts: 0 })
    })
  )
]
