/** Replays that are interrupted, cut off, or run beside each other. */
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { countBecomes, putLetters, withLetters } from "./DeadLetterSetup.ts"
import { assert } from "../../Assert.ts"
import { fresh, numbered, upTo } from "../../setup/TestEvents.ts"
import { shared, start } from "../../setup/BusProcess.ts"
import { lettersOf, until, untilEffect } from "../../setup/Waiting.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"

export const interruptedReplayCases: ReadonlyArray<BrokerCase> = [
  brokerCase("R6: an interrupted replay returns what it read, and another one continues", () =>
    Effect.gen(function* () {
      const { ledger, letters, name, state } = yield* withLetters(30)
      state.broken = false
      const fiber = yield* Effect.forkChild(letters.replay(name, { rate: 100 }))
      yield* ledger.reaches(3)
      yield* Fiber.interrupt(fiber)
      const handled = ledger.entries.length
      assert.isBelow(handled, 30)
      const rest = yield* letters.replay(name)
      yield* ledger.reaches(30)
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(30))
      assert.strictEqual(yield* countBecomes(letters.count(name), 0), 0)
      // Every sent dead letter was acknowledged, so none is sent twice.
      assert.strictEqual(ledger.entries.length, 30)
      assert.isAtMost(rest.replayed, 30 - handled)
    })
  ),
  brokerCase("R6, P11: a replay whose connections are lost continues on new ones", ({ network }) =>
    Effect.gen(function* () {
      const { connect: connectOver, cut, mend } = yield* network
      const operator = yield* start(connectOver())
      const { broker, ids, name } = yield* putLetters(operator, 200)
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
  ),
  brokerCase("concurrent replays of one queue send each dead letter once", () =>
    Effect.gen(function* () {
      const { ledger, letters, name, state } = yield* withLetters(60)
      state.broken = false
      const reports = yield* Effect.all([letters.replay(name), letters.replay(name), letters.replay(name)], {
        concurrency: 3
      })
      let replayed = reports.reduce((sum, report) => sum + report.replayed, 0)
      // A replay that held more than it sent may have returned it after the others had looked.
      yield* untilEffect(
        () => `${replayed} of 60`,
        Effect.map(letters.replay(name), (report) => (replayed += report.replayed) >= 60)
      )
      yield* ledger.reaches(60)
      assert.deepStrictEqual(ledger.sorted(), upTo(60))
      assert.strictEqual(yield* countBecomes(letters.count(name), 0), 0)
    })
  ),
  brokerCase(
    "P3: a dead letter of the broker's own delivery limit is listed as CrashLoop, and replayed as fresh",
    ({ remote }) =>
      Effect.gen(function* () {
        const process = yield* shared
        const { broker, letters } = process
        const Happened = numbered()
        const name = fresh()
        // By key each return counts, on every version of RabbitMQ.
        yield* broker.declare({ name, ordering: "key", patterns: [Happened.name] })
        const before = Date.now()
        const { id } = yield* process.bus.publish(Happened, { n: 1 }, { key: "k" })
        // Each consumer takes it and disappears; the 21st return is one too many.
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
        // RabbitMQ reports whole seconds.
        if (remote) assert.isAtLeast(letter?.lastFailure?.getTime() ?? 0, before - 1_000)
        assert.strictEqual(
          (yield* letters.list(name, { reason: "CrashLoop", newerThan: Date.now() - before + 5000 })).length,
          1
        )
        const ledger = makeLedger()
        yield* process.bus.subscribe(name, { events: [Happened], ordering: "key", handler: ledger.handler })
        assert.deepInclude(yield* letters.replay(name, { reason: "CrashLoop" }), {
          replayed: 1,
          errorTags: { DeliveryLimit: 1 }
        })
        yield* ledger.reaches(1)
        assert.deepInclude(ledger.entries[0]?.info, { attempt: 1, replays: 1, redelivered: false })
        assert.strictEqual(yield* countBecomes(letters.count(name), 0), 0)
      })
  )
]
