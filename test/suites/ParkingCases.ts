/** `onBlocked: "park"`: a key that waits leaves the queue, in order, and comes back; on every transport (P5, P6, P7). */
import { assert } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { Later } from "../../src/bus/BusError.ts"
import {
  type Bench,
  type Entry,
  fresh,
  keyed,
  makeLedger,
  shared,
  start,
  statsBecome,
  timerTolerance,
  until,
  untilEffect,
  upTo
} from "./Workbench.ts"

export const parkingCases = ({ connect, it }: Bench): void => {
  const byKey = (entries: ReadonlyArray<Entry>, key: string): ReadonlyArray<number> =>
    entries.filter(({ event }) => event.key === key).map(({ event }) => event.data.n)
  /** Fails with this number until it is told not to; what it handled is written down. */
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

  it.effect("C19, P5, P6: a head that blocks is parked with all that follow it, and comes back in order", () =>
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
      // The others pass although more of the key wait than the window holds.
      yield* play.ledger.reaches(20)
      assert.deepStrictEqual(byKey(play.ledger.entries, "a"), [])
      yield* statsBecome(subscription, { parked: 40 })
      const { keys } = yield* subscription.tree
      assert.deepStrictEqual(
        keys.map(({ head, key }) => [key, head]),
        [["a", "parked"]]
      )
      play.mend()
      yield* play.ledger.reaches(60)
      assert.deepStrictEqual(byKey(play.ledger.entries, "a"), upTo(40))
      yield* statsBecome(subscription, { held: 0, parked: 0, lanes: 0, deadLettered: 0, returns: 0 })
      assert.deepStrictEqual(yield* letters.list(name), [])
      for (const [n, at] of play.starts.entries()) {
        const before = play.starts[n - 1]
        if (before !== undefined) assert.isAtLeast(at - before, 3000 - timerTolerance)
      }
    })
  )

  it.effect("P6: what is published while a key is parked follows it, and what comes after that passes by", () =>
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
      assert.deepStrictEqual(byKey(play.ledger.entries, "a"), upTo(7))
      yield* statsBecome(subscription, { parked: 0, held: 0, handled: 7 })
    })
  )

  it.effect("P6, P12: the next process brings back what is parked, head first, although no event comes", () =>
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
      // Asked of whoever is left; it becomes active by this and reads what is parked before it does anything.
      yield* standby.release()
      yield* play.ledger.reaches(10)
      assert.deepStrictEqual(byKey(play.ledger.entries, "a"), upTo(10))
      // The attempt that failed in the other process is known here.
      assert.strictEqual(play.ledger.entries[0]?.info.attempt, 2)
      yield* statsBecome(standby, { parked: 0, held: 0 })
    })
  )

  it.effect("P6: several keys park beside each other, and fail again and again, over changing processes", () =>
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
        const lane = byKey(ledger.entries, `k${k}`)
        assert.deepStrictEqual(
          [...new Set(lane)],
          [...new Set(lane)].toSorted((a, b) => a - b)
        )
      }
      assert.deepStrictEqual(overlaps, [])
    })
  )

  it.effect("release fails where nothing can be parked", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        handler: () => Effect.void
      })
      const error = yield* Effect.flip(subscription.release())
      assert.match(error.message, /onBlocked/)
    })
  )
}
