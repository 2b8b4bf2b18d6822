/**
 * Keyed subscribers that park, which is the default: a key that waits leaves the queue and comes back, never early (P7).
 * The order by key stays (P6), and no other event is blocked (P5).
 */
import { makeLedger, numbersOfKey, type Entry } from "../setup/HandlerLedger.ts"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, keyed, upTo } from "../setup/TestEvents.ts"
import { assert } from "../Assert.ts"
import { statsBecome, timerTolerance, until, untilEffect } from "../setup/Waiting.ts"
import { Later } from "../../../bus/subscriber/HandlerError.ts"

/** A handler that fails with this number until it is mended, and records what it handled. */
const stubborn = (bad: number) => {
  const ledger = makeLedger()
  let failing = true
  const starts: Array<number> = []
  return {
    ledger,
    starts,
    mend: () => {
      failing = false
    },
    handler: (event: Entry["event"], info: Entry["info"]) =>
      Effect.suspend(() => {
        if (event.data.n === bad && failing) {
          starts.push(Date.now())
          return Effect.fail("not now")
        }
        return ledger.handler(event, info)
      })
  }
}

export const parkingCases: ReadonlyArray<BrokerCase> = [
  brokerCase("P3, P6: parked events of one key may share an id: none takes another one's place", ({ connect }) =>
    Effect.gen(function* () {
      const [north, south] = [
        yield* start(connect({ source: "shop-north" })),
        yield* start(connect({ source: "shop-south" }))
      ]
      const [Paid, Sent] = [keyed(fresh("paid")), keyed(fresh("sent"))]
      const play = stubborn(0)
      const subscription = yield* north.subscribe(fresh(), {
        events: [Paid, Sent],
        ordering: "key",
        onBlocked: "park",
        prefetch: 8,
        retry: Schedule.spaced("3 seconds"),
        handler: play.handler
      })
      const id = `17 of ${Paid.name}`
      yield* north.bus.publish(Paid, { n: 0, k: "a" }, { id })
      yield* south.bus.publish(Paid, { n: 1, k: "a" }, { id })
      yield* north.bus.publish(Sent, { n: 2, k: "a" }, { id })
      // As many as it takes for the key to leave the window.
      yield* north.bus.publishAll(
        Paid,
        upTo(20).map((n) => ({ n: 3 + n, k: "a" }))
      )
      yield* statsBecome(subscription, { parked: 23 })
      play.mend()
      yield* play.ledger.reaches(23)
      yield* statsBecome(subscription, { parked: 0, held: 0, handled: 23 })
      assert.deepStrictEqual(numbersOfKey(play.ledger.entries, "a"), upTo(23))
    })
  ),
  brokerCase("C19, P5, P6: a blocking head is parked with all events behind it, and comes back in order", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* shared
      const Changed = keyed()
      const name = fresh()
      const play = stubborn(0)
      const subscription = yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        prefetch: 8,
        retry: Schedule.spaced("3 seconds"),
        handler: play.handler
      })
      yield* bus.publishAll(
        Changed,
        upTo(40).map((n) => ({ n, k: "a" }))
      )
      yield* bus.publishAll(
        Changed,
        upTo(20).map((n) => ({ n: 100 + n, k: `other${n % 3}` }))
      )
      // Other keys go on, although more events of this key wait than the window holds.
      yield* play.ledger.reaches(20)
      assert.deepStrictEqual(numbersOfKey(play.ledger.entries, "a"), [])
      yield* statsBecome(subscription, { parked: 40 })
      // It is ready, and then runs, every three seconds.
      let shown: ReadonlyArray<string> = []
      yield* untilEffect(
        () => `${shown.join()} instead of a parked`,
        Effect.map(subscription.tree, ({ keys }) => {
          shown = keys.map(({ head, key }) => `${key} ${head}`)
          return shown.join() === "a parked"
        })
      )
      play.mend()
      yield* play.ledger.reaches(60)
      assert.deepStrictEqual(numbersOfKey(play.ledger.entries, "a"), upTo(40))
      yield* statsBecome(subscription, { held: 0, parked: 0, lanes: 0, deadLettered: 0, returns: 0 })
      assert.deepStrictEqual(yield* letters.list(name), [])
      for (const [n, at] of play.starts.entries()) {
        const before = play.starts[n - 1]
        if (before !== undefined) assert.isAtLeast(at - before, 3000 - timerTolerance)
      }
    })
  ),
  brokerCase("P6: events published while a key is parked follow it; later ones are handled at once", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const play = stubborn(0)
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        prefetch: 4,
        retry: Schedule.spaced("1 hour"),
        handler: play.handler
      })
      yield* bus.publish(Changed, { n: 0, k: "a" })
      yield* statsBecome(subscription, { parked: 1 })
      for (const n of upTo(5)) yield* bus.publish(Changed, { n: n + 1, k: "a" })
      yield* statsBecome(subscription, { parked: 6 })
      play.mend()
      yield* subscription.release("a")
      yield* play.ledger.reaches(6)
      yield* statsBecome(subscription, { parked: 0, held: 0 })
      yield* bus.publish(Changed, { n: 6, k: "a" })
      yield* play.ledger.reaches(7)
      assert.deepStrictEqual(numbersOfKey(play.ledger.entries, "a"), upTo(7))
      yield* statsBecome(subscription, { parked: 0, held: 0, handled: 7 })
    })
  ),
  brokerCase("P6, P12: the next process takes back parked keys, head first, without any new event", ({ connect }) =>
    Effect.gen(function* () {
      const Changed = keyed()
      const name = fresh()
      const play = stubborn(0)
      const options = {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        prefetch: 4,
        retry: Schedule.spaced("11 minutes"),
        handler: play.handler
      } as const
      const first = yield* start(connect())
      const one = yield* first.subscribe(name, options)
      const second = yield* start(connect())
      const two = yield* second.subscribe(name, options)
      yield* first.bus.publishAll(
        Changed,
        upTo(10).map((n) => ({ n, k: "a" }))
      )
      yield* untilEffect(
        () => "10 are not parked",
        Effect.map(Effect.all([one.stats, two.stats]), (all) => all.reduce((sum, { parked }) => sum + parked, 0) === 10)
      )
      const active = (yield* one.stats).parked === 10 ? first : second
      const standby = active === first ? two : one
      play.mend()
      yield* active.stop
      // The remaining process becomes active by this, and reads the parked events before anything else.
      yield* standby.release()
      yield* play.ledger.reaches(10)
      assert.deepStrictEqual(numbersOfKey(play.ledger.entries, "a"), upTo(10))
      // It knows the attempt that failed in the other process.
      assert.strictEqual(play.ledger.entries[0]?.info.attempt, 2)
      yield* statsBecome(standby, { parked: 0, held: 0 })
    })
  ),
  brokerCase(
    "P6: several keys are parked at the same time, fail again and again, and survive changing processes",
    ({ connect }) =>
      Effect.gen(function* () {
        const Changed = keyed()
        const name = fresh()
        const keys = 6
        const ledger = makeLedger()
        const tried = new Map<number, number>()
        const running = new Set<string>()
        const overlaps: Array<string> = []
        const options = {
          events: [Changed],
          ordering: "key",
          onBlocked: "park",
          prefetch: 8,
          retry: Schedule.spaced("1 second"),
          handler: (event: Entry["event"], info: Entry["info"]) =>
            Effect.gen(function* () {
              const key = event.key ?? ""
              if (running.has(key)) overlaps.push(`${key} at ${event.data.n}`)
              running.add(key)
              yield* Effect.yieldNow
              const times = (tried.get(event.data.n) ?? 0) + 1
              tried.set(event.data.n, times)
              if (event.data.n % 25 === 0 && times < 3) return yield* Effect.fail("not now")
              if (event.data.n % 30 === 7 && times < 2) return yield* Later.in("1 second")
              yield* ledger.handler(event, info)
            }).pipe(Effect.ensuring(Effect.sync(() => running.delete(event.key ?? ""))))
        } as const
        const publisher = yield* shared
        let process = yield* start(connect())
        yield* process.subscribe(name, options)
        for (const round of upTo(3)) {
          yield* publisher.bus.publishAll(
            Changed,
            upTo(50).map((n) => ({ n: round * 50 + n, k: `k${n % keys}` }))
          )
          yield* ledger.reaches(round * 30)
          const next = yield* start(connect())
          yield* next.subscribe(name, options)
          yield* process.stop
          process = next
        }
        yield* until(
          () => `${new Set(ledger.numbers()).size} of 150`,
          () => new Set(ledger.numbers()).size === 150
        )
        for (const k of upTo(keys)) {
          const lane = numbersOfKey(ledger.entries, `k${k}`)
          assert.deepStrictEqual(
            [...new Set(lane)],
            [...new Set(lane)].toSorted((a, b) => a - b)
          )
        }
        assert.deepStrictEqual(overlaps, [])
      })
  ),
  brokerCase("release fails for a subscriber that does not park", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        onBlocked: "dead-letter",
        handler: () => Effect.void
      })
      const error = yield* Effect.flip(subscription.release())
      assert.match(error.message, /onBlocked/)
    })
  )
]
