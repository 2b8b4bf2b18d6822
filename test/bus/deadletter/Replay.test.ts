/** Replays in virtual time: their rate, their own letters, losses of the broker, letters that cannot be sent. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schedule } from "effect"
import { Broker, type Headers, inFlight } from "../../../src/bus/port/Broker.ts"
import { DeadLetters } from "../../../src/bus/deadletter/DeadLetters.ts"
import { CurrentIds } from "../../../src/bus/support/EventIds.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { fromCallback } from "../../support/CallbackSend.ts"

const name = "mailer"

/** A stage on which `count` letters wait for a subscriber that succeeds from now on. */
const withLetters = Effect.fnUntraced(function* (count: number) {
  const stage = yield* Stage.make
  const Happened = numbered()
  const ledger = makeLedger()
  let broken = true
  yield* stage.bus.subscribe(name, {
    events: [Happened],
    retry: Schedule.recurs(0),
    handler: (event, info) => Effect.suspend(() => (broken ? Effect.fail("down") : ledger.handler(event, info)))
  })
  yield* stage.bus.publishAll(Happened, numbers(count))
  yield* Stage.turns
  assert.strictEqual(yield* stage.letters.count(name), count)
  broken = false
  return { ...stage, ledger }
})

/** Puts a letter into the dead-letter queue of a subscriber, as its process would. */
const put = (broker: Broker["Service"], messageId: string, headers: Headers = {}, body = "{}") =>
  Effect.callback<void>((resume) =>
    broker.send(
      inFlight(
        {
          to: { _tag: "DeadLetter", subscriber: name },
          key: undefined,
          body: Buffer.from(body),
          properties: { messageId, type: "a.b", timestamp: 0, appId: "", contentType: "application/json" },
          headers: { "bus-reason": "Exhausted", ...headers }
        },
        () => resume(Effect.void)
      )
    )
  )

const idsOf = (letters: DeadLetters["Service"]) =>
  Effect.map(letters.list(name), (found) => found.map(({ eventId }) => eventId))

describe("a replay", () => {
  it.effect("R6: keeps to its rate, and returns the rest when it is interrupted", () =>
    Effect.gen(function* () {
      const { ledger, letters } = yield* withLetters(10)
      const fiber = yield* Effect.forkChild(letters.replay(name, { rate: 2 }))
      yield* Stage.turns
      for (const sent of [1, 2, 3, 4]) {
        assert.strictEqual(ledger.entries.length, sent)
        yield* Stage.pass(499)
        assert.strictEqual(ledger.entries.length, sent, "faster than its rate")
        yield* Stage.pass(1)
      }
      yield* Fiber.interrupt(fiber)
      yield* Stage.turns
      assert.strictEqual(ledger.entries.length, 5)
      assert.strictEqual(yield* letters.count(name), 5)
      const rest = yield* Effect.forkChild(letters.replay(name))
      yield* Stage.turns
      assert.deepInclude(yield* Fiber.join(rest), { replayed: 5, remaining: 0 })
      assert.deepStrictEqual(ledger.sorted(), upTo(10))
    })
  )

  it.effect("R6: interrupted between copy and confirm, it waits for the confirm and sends nothing twice", () =>
    Effect.gen(function* () {
      const { broker, ledger, letters } = yield* withLetters(10)
      let sent = 0
      const context = yield* Layer.build(DeadLetters.layer).pipe(
        Effect.provideService(
          Broker,
          Broker.of({
            ...broker,
            send: fromCallback((message, done) => {
              sent++
              broker.send(inFlight(message, done))
            })
          })
        )
      )
      const fiber = yield* Effect.forkChild(Context.get(context, DeadLetters).replay(name))
      // Without a turn of the event loop there is no confirm.
      while (sent < 10) yield* Effect.yieldNow
      assert.isEmpty(ledger.entries)
      yield* Fiber.interrupt(fiber)
      yield* Stage.turns
      assert.deepStrictEqual(ledger.sorted(), upTo(10))
      assert.strictEqual(yield* letters.count(name), 0)
    })
  )

  it.effect("R5: leaves the letters that it has sent itself", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make
      yield* broker.declare({ name, ordering: "none", patterns: ["a.b"] })
      yield* put(broker, "own", { "bus-replay-id": "this-run", "bus-replays": 1 })
      yield* put(broker, "another", { "bus-replay-id": "an-earlier-run", "bus-replays": 1 })
      const context = yield* Layer.build(DeadLetters.layer).pipe(
        Effect.provideService(Broker, broker),
        Effect.provideService(CurrentIds, { next: () => "this-run" })
      )
      const letters = Context.get(context, DeadLetters)
      assert.strictEqual((yield* letters.list(name))[0]?.replayId, "this-run")
      const fiber = yield* Effect.forkChild(letters.replay(name))
      yield* Stage.turns
      assert.deepInclude(yield* Fiber.join(fiber), { replayId: "this-run", replayed: 1, skipped: 0, remaining: 1 })
      assert.deepStrictEqual(yield* idsOf(letters), ["own"])
      assert.strictEqual((yield* broker.depth(name)).ready, 1)
    })
  )

  it.effect("R6: goes on by itself when the broker was away for a moment", () =>
    Effect.gen(function* () {
      const { ledger, letters, server } = yield* withLetters(20)
      const fiber = yield* Effect.forkChild(letters.replay(name, { rate: 10 }))
      yield* Stage.pass(500, 100)
      assert.isAbove(ledger.entries.length, 2)
      server.disconnect("stored")
      yield* Stage.pass(300, 100)
      server.reconnect()
      yield* Stage.pass(20_000, 100)
      const report = yield* Fiber.join(fiber)
      assert.strictEqual(report.remaining, 0)
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(20))
      assert.strictEqual(yield* letters.count(name), 0)
    })
  )

  it.effect("R6: reports its progress when the broker stays away, and goes on when it is run again", () =>
    Effect.gen(function* () {
      const { ledger, letters, server } = yield* withLetters(20)
      const fiber = yield* Effect.forkChild(Effect.flip(letters.replay(name, { rate: 10 })))
      yield* Stage.pass(500, 100)
      const before = ledger.entries.length
      server.disconnect("not-stored")
      yield* Stage.pass(60_000, 500)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "ReplayError")
      assert.deepInclude(error, { source: name, isRetryable: true, replayed: before, remaining: 20 - before })
      assert.include(error.message, `stopped after ${before}, ${20 - before} dead letters are left`)
      server.reconnect()
      yield* Stage.pass(60_000, 1_000)
      const again = yield* Effect.forkChild(letters.replay(name))
      yield* Stage.pass(1_000)
      assert.strictEqual((yield* Fiber.join(again)).remaining, 0)
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(20))
    })
  )

  it.effect("R6: waits while the broker accepts nothing, and then fails with the reason", () =>
    Effect.gen(function* () {
      const { ledger, letters, server } = yield* withLetters(5)
      server.block("memory alarm")
      const fiber = yield* Effect.forkChild(Effect.flip(letters.replay(name)))
      yield* Stage.pass(20_000, 500)
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { replayed: 0, remaining: 5, isRetryable: true })
      server.unblock()
      yield* Stage.pass(1_000)
      yield* Effect.forkChild(letters.replay(name))
      yield* Stage.pass(1_000)
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(5))
    })
  )

  it.effect("P8: sends nothing for a subscriber whose queue is deleted, and fails with the reason", () =>
    Effect.gen(function* () {
      const { broker, letters, server } = yield* Stage.make
      yield* broker.declare({ name, ordering: "none", patterns: ["a.b"] })
      for (const id of ["1", "2", "3"]) yield* put(broker, id)
      server.deleteQueue(name)
      for (const dryRun of [true, false]) {
        const error = yield* Effect.flip(letters.replay(name, { dryRun }))
        assert.strictEqual(error.reason._tag, "TopologyMissing")
        assert.deepInclude(error, { replayed: 0, isRetryable: false })
        assert.include(error.message, name)
      }
      assert.deepStrictEqual(yield* idsOf(letters), ["1", "2", "3"])
      assert.strictEqual(yield* letters.count(DeadLetters.undeliverable), 0)
    })
  )

  it.effect("N4: publishes undeliverable events that now have a subscriber, and leaves the others", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const [Wanted, Unwanted] = [numbered(), numbered()]
      for (const event of [Unwanted, Wanted]) yield* bus.publish(event, { n: 1 }, { delay: "1 second" })
      yield* Stage.pass(1_000)
      assert.strictEqual(yield* letters.count(DeadLetters.undeliverable), 2)
      const ledger = makeLedger()
      yield* bus.subscribe(name, { events: [Wanted], handler: ledger.handler })
      const fiber = yield* Effect.forkChild(letters.replay(DeadLetters.undeliverable))
      yield* Stage.turns
      const report = yield* Fiber.join(fiber)
      assert.deepInclude(report, { replayed: 1, refused: 1, guarded: 0, remaining: 1, events: { [Wanted.name]: 1 } })
      const [left, ...more] = yield* letters.list(DeadLetters.undeliverable)
      assert.strictEqual(left?.eventType, Unwanted.name)
      assert.isEmpty(more)
      assert.include(report.refusals[0], left?.eventId)
      assert.strictEqual(ledger.entries.length, 1)
    })
  )

  it.effect("P8: refuses an option that does not exist, which would otherwise select every letter", () =>
    Effect.gen(function* () {
      const { broker, letters } = yield* Stage.make
      yield* broker.declare({ name, ordering: "none", patterns: ["a.b"] })
      yield* put(broker, "1")
      // The compiler accepts both: the misspelled name stands beside a right one, or is spread.
      const misspelled = { resaon: "Rejected", newerThan: "1 day" } as const
      const calls: ReadonlyArray<Effect.Effect<unknown, { readonly message: string }>> = [
        letters.list(name, misspelled),
        letters.replay(name, { ...misspelled, dryRun: true }),
        letters.replay(name, { ...misspelled, rate: 1, unsigned: true, maxReplays: 1 }),
        letters.discard(name, { ...misspelled, all: true, dryRun: true })
      ]
      for (const call of calls) {
        const { message } = yield* Effect.flip(call)
        assert.include(message, "resaon: there is no such option (its value is a text). Did you mean `reason`?")
      }
      assert.strictEqual(yield* letters.count(name), 1)
    })
  )

  it.effect("P13: names from foreign letters do not fill the report, and none of them is a prototype", () =>
    Effect.gen(function* () {
      const { broker, letters } = yield* Stage.make
      yield* broker.declare({ name, ordering: "none", patterns: ["a.b"] })
      for (const n of upTo(150)) yield* put(broker, `${n}`, { "bus-error-tag": `tag-${n}` })
      yield* put(broker, "proto", { "bus-event-type": "__proto__" })
      const { errorTags, events, replayed } = yield* letters.replay(name, { dryRun: true })
      assert.strictEqual(replayed, 151)
      assert.strictEqual(Object.keys(errorTags).length, 101)
      assert.strictEqual(errorTags["(others)"], 51)
      assert.deepStrictEqual(Object.entries(events), [
        ["a.b", 150],
        ["__proto__", 1]
      ])
    })
  )
})
