/** What the runtime sends for itself is believed only with the namespace's signature, where one is required (P15). */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { Address, Outgoing } from "../../../../bus/port/Broker.ts"
import type { Signing } from "../../../../bus/send/SignedBroker.ts"
import { assert } from "../../Assert.ts"
import { shared, start } from "../../setup/BusProcess.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"
import { send } from "../../setup/RawMessage.ts"
import { fresh, keyed, numbered } from "../../setup/TestEvents.ts"
import { lettersOf, statsBecome, untilEffect } from "../../setup/Waiting.ts"
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"

const [one, two] = ["the first secret of this namespace, ok", "the second secret of this namespace, ok"]
const required: Signing = { secret: one, mode: "require" }

/** A message as whoever may write to the exchanges of the runtime can send it. */
const message = (to: Address, type: string, n: number, headers: Outgoing["headers"] = {}): Outgoing => ({
  to,
  key: undefined,
  body: Buffer.from(
    JSON.stringify({
      specversion: "1.0",
      id: `f-${n}`,
      source: "s",
      type,
      time: new Date().toISOString(),
      data: { n, k: "k" }
    })
  ),
  properties: { messageId: `f-${n}`, type, timestamp: 0, appId: "s", contentType: "application/cloudevents+json" },
  headers
})
const copyTo = (name: string, seconds = 0): Address => ({ _tag: "Subscriber", name, seconds })

/** Fails twice, and then succeeds. */
const failingTwice = () => {
  const ledger = makeLedger()
  return {
    ledger,
    handler: (...[event, info]: Parameters<typeof ledger.handler>) =>
      Effect.andThen(ledger.handler(event, info), info.attempt < 3 ? Effect.fail("not yet") : Effect.void)
  }
}

export const signatureCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P15: signed retries run with their attempts; a forged attempt, due time and release are dead letters, never believed",
    ({ connectSigned }) =>
      Effect.gen(function* () {
        const forger = (yield* shared).broker
        const process = yield* start(connectSigned(required)())
        const Happened = numbered()
        const name = fresh()
        const play = failingTwice()
        const subscription = yield* process.subscribe(name, {
          events: [Happened],
          retry: Schedule.spaced("1 second"),
          handler: play.handler
        })
        yield* process.bus.publish(Happened, { n: 0 })
        yield* play.ledger.reaches(3)
        assert.deepStrictEqual(play.ledger.attempts(), [1, 2, 3])
        yield* statsBecome(subscription, { handled: 1 })
        const forgeries = [
          {
            "bus-attempt": 3,
            "bus-replays": 2,
            "bus-failures": JSON.stringify([{ at: 1, attempt: 2, tag: "F", message: "f" }])
          },
          { "bus-due": Date.now() + 3_600_000 },
          { "bus-control": "release" },
          { "bus-signature": "1:AAAA" },
          { "bus-signature": `1:${Buffer.alloc(32).toString("base64url")}` }
        ]
        for (const [n, headers] of forgeries.entries())
          yield* send(forger, message(copyTo(name), Happened.name, n, headers))
        const letters = yield* lettersOf(process, name, forgeries.length)
        for (const letter of letters) {
          assert.deepInclude(letter, { reason: "Unsigned", attempts: 1, failures: [], replays: 0, signed: false })
          assert.include(letter.error.message, "signature")
        }
        assert.strictEqual(play.ledger.entries.length, 3)
      })
  ),
  brokerCase("P15: a signature holds for one subscriber, one event and one set of headers", ({ connectSigned }) =>
    Effect.gen(function* () {
      const forger = (yield* shared).broker
      const process = yield* start(connectSigned(required)())
      const Happened = numbered()
      const [name, other] = [fresh(), fresh()]
      const [ledger, otherLedger] = [makeLedger(), makeLedger()]
      yield* process.subscribe(name, {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("no"))
      })
      yield* process.subscribe(other, { events: [Happened], handler: otherLedger.handler })
      yield* process.bus.publish(Happened, { n: 0 })
      const [letter] = yield* lettersOf(process, name, 1)
      assert.isTrue(letter?.signed)
      // A dead letter that its own service can read, sent as a copy: to its subscriber, and to another one.
      const stolen = (to: Address): Outgoing => ({
        ...message(to, Happened.name, 0),
        body: letter?.body ?? "",
        headers: { ...(letter?.headers as Outgoing["headers"]) }
      })
      yield* send(forger, stolen(copyTo(name)))
      yield* send(forger, stolen(copyTo(other)))
      yield* lettersOf(process, name, 2)
      const [unsigned] = yield* lettersOf(process, other, 1)
      assert.deepInclude(unsigned, { reason: "Unsigned", signed: false })
      assert.deepStrictEqual([ledger.entries.length, otherLedger.entries.length], [1, 1])
    })
  ),
  brokerCase(
    "P15: a replay refuses what is unsigned, and sends it as new where that is asked for",
    ({ connectSigned }) =>
      Effect.gen(function* () {
        const forger = (yield* shared).broker
        const process = yield* start(connectSigned(required)())
        const Happened = numbered()
        const name = fresh()
        let failing = true
        const ledger = makeLedger()
        yield* process.subscribe(name, {
          events: [Happened],
          retry: Schedule.recurs(0),
          handler: (event, info) => Effect.suspend(() => (failing ? Effect.fail("no") : ledger.handler(event, info)))
        })
        yield* process.bus.publish(Happened, { n: 1 })
        yield* lettersOf(process, name, 1)
        failing = false
        yield* send(
          forger,
          message({ _tag: "DeadLetter", subscriber: name }, Happened.name, 2, {
            "bus-reason": "Exhausted",
            "bus-replays": 1,
            "bus-failures": JSON.stringify([{ at: 1, attempt: 1, tag: "F", message: "f" }])
          })
        )
        const letters = yield* lettersOf(process, name, 2)
        assert.deepStrictEqual(letters.map(({ signed }) => signed).toSorted(), [false, true])
        const report = yield* process.letters.replay(name)
        assert.deepInclude(report, { replayed: 1, refused: 1 })
        assert.match(String(report.refusals), /unsigned: true/)
        yield* ledger.reaches(1)
        assert.deepInclude(yield* process.letters.replay(name, { unsigned: true }), { replayed: 1, refused: 0 })
        yield* ledger.reaches(2)
        assert.deepStrictEqual(ledger.numbers(), [1, 2])
        assert.deepStrictEqual(
          ledger.entries.map(({ info }) => info.replays),
          [1, 1]
        )
      })
  ),
  brokerCase(
    "P15: a delayed event is remembered only with a signature, and handled as its route says",
    ({ connectSigned }) =>
      Effect.gen(function* () {
        const forger = (yield* shared).broker
        const process = yield* start(connectSigned(required)())
        const [Forged, Signed] = [numbered(), numbered()]
        const ledger = makeLedger()
        yield* process.subscribe(fresh(), { events: [Forged, Signed], handler: ledger.handler })
        yield* send(
          forger,
          message({ _tag: "DelayedEvent", name: Forged.name, seconds: 1 }, Forged.name, 1, { "bus-delayed": true })
        )
        yield* process.bus.publish(Signed, { n: 2 }, { delay: "1 second" })
        yield* ledger.reaches(2)
        yield* untilEffect(
          () => "the signed event is remembered",
          Effect.map(process.cache.last(Signed), Option.isSome)
        )
        assert.isTrue(Option.isNone(yield* process.cache.last(Forged)))
      })
  ),
  brokerCase("P15: a forged parked event takes no place among the parked ones", ({ connectSigned }) =>
    Effect.gen(function* () {
      const forger = (yield* shared).broker
      const process = yield* start(connectSigned(required)())
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      const subscription = yield* process.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        handler: ledger.handler
      })
      yield* send(
        forger,
        message({ _tag: "Parked", subscriber: name }, Changed.name, 1, {
          "bus-position": 0,
          "bus-due": Date.now() + 3_600_000
        })
      )
      yield* process.bus.publish(Changed, { n: 2, k: "k" })
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Unsigned", eventId: "f-1" })
      yield* ledger.reaches(1)
      yield* statsBecome(subscription, { parked: 0, handled: 1 })
      assert.deepStrictEqual(ledger.numbers(), [2])
    })
  ),
  brokerCase(
    "P3, P15: a secret is given to running processes, and changed, without a dead letter",
    ({ connect, connectSigned }) =>
      Effect.gen(function* () {
        const name = fresh()
        const Happened = numbered()
        /** One after the other has the subscriber: each attempt is one of another process. */
        const steps = [
          connect,
          connectSigned({ secret: one }),
          connectSigned(required),
          connectSigned({ secret: [two, one], mode: "require" }),
          connectSigned({ secret: two, mode: "require" })
        ]
        const ledger = makeLedger()
        const attempts: Array<number> = []
        for (const [step, connecting] of steps.entries()) {
          const process = yield* start(connecting())
          yield* process.subscribe(name, {
            events: [Happened],
            retry: Schedule.spaced("2 seconds"),
            handler: (event, info) =>
              Effect.suspend(() => {
                attempts.push(info.attempt)
                return step === steps.length - 1 ? ledger.handler(event, info) : Effect.fail("not here")
              })
          })
          if (step === 0) yield* process.bus.publish(Happened, { n: 1 })
          yield* untilEffect(
            () => `attempt ${step + 1}, not ${attempts}`,
            Effect.sync(() => attempts.length > step)
          )
          if (step < steps.length - 1) yield* process.stop
          else {
            yield* ledger.reaches(1)
            assert.strictEqual(yield* process.letters.count(name), 0)
          }
        }
        assert.deepStrictEqual(attempts, [1, 2, 3, 4, 5])
      })
  )
]
