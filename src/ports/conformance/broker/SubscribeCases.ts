/** Subscribing: options that cannot work, and a topology mismatch as one clear error (P16). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, keyed, numbered } from "../setup/TestEvents.ts"
import { assert } from "../Assert.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"

export const subscribeCases: ReadonlyArray<BrokerCase> = [
  brokerCase("an impossible option fails with its name and leaves nothing behind", () =>
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
        ["handler", name, { handler: wrong(undefined) }],
        ["retries", name, { retries: 3 }],
        ["retry", name, { retry: wrong(3) }],
        ["retry", name, { ordering: "key", onBlocked: "dead-letter", retry: Schedule.spaced("11 minutes") }],
        ["retry", name, { ordering: "key", onBlocked: "dead-letter", retry: Schedule.exponential("1 second") }]
      ]
      for (const [option, subscriber, more] of cases) {
        const error = yield* Effect.flip(bus.subscribe(subscriber, { ...works, ...more }))
        assert(error.reason._tag === "Invalid", `${option}: ${error.message}`)
        assert.strictEqual(error.reason.option, option)
        assert.isFalse(error.isRetryable)
      }
      assert.deepStrictEqual(
        (yield* bus.tree).subscribers.filter((subscription) => subscription.name === name),
        []
      )
      yield* bus.subscribe(name, { ...works, retry: Schedule.spaced("11 minutes") })
    })
  ),
  brokerCase(
    "a name stands for one handler and its events in a process, until its subscriber has ended",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus, stop, subscribe } = yield* start(connect())
        const [Happened, Other] = [numbered(), numbered()]
        const name = fresh()
        const ledger = makeLedger()
        const first = yield* subscribe(name, { events: [Happened], handler: ledger.handler })
        const second = makeLedger()
        for (const options of [
          { events: [Happened], handler: second.handler },
          { events: [Other], handler: ledger.handler }
        ]) {
          const error = yield* Effect.flip(subscribe(name, options))
          assert(error.reason._tag === "Invalid" && error.reason.option === "name", error.message)
        }
        yield* bus.publish(Happened, { n: 1 })
        yield* ledger.reaches(1)
        yield* first.stop
        yield* subscribe(name, { events: [Happened], handler: second.handler })
        yield* bus.publish(Happened, { n: 2 })
        yield* second.reaches(1)
        yield* stop
      })
  ),
  brokerCase(
    "P16: another `ordering` is a topology mismatch that names the queue and the remedy, and disturbs no other subscriber",
    ({ connect }) =>
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
]
