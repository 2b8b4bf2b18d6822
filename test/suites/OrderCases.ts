/** `ordering: "key"`: one at a time and in order, through failures and over processes (P5, P6). */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Schedule } from "effect"
import { Later, Reject } from "../../src/bus/BusError.ts"
import type { DeliveryInfo } from "../../src/bus/SubscriberOptions.ts"
import {
  type Bench,
  type Entry,
  fresh,
  keyed,
  lettersOf,
  makeLedger,
  shared,
  start,
  timerTolerance,
  until,
  upTo
} from "./Workbench.ts"

/** A handler that notices when two events of one key run at once, in any process. */
const makeWatch = () => {
  const running = new Set<string>()
  const overlaps: Array<string> = []
  return {
    overlaps,
    over: <E, R>(event: Entry["event"], effect: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
      Effect.suspend(() => {
        const key = event.key ?? ""
        if (running.has(key)) overlaps.push(`${key} at ${event.data.n}`)
        running.add(key)
        return Effect.ensuring(
          effect,
          Effect.sync(() => running.delete(key))
        )
      })
  }
}

export const orderCases = ({ connect, features, it }: Bench): void => {
  const many = (count: number): number => Math.ceil(count * features.scale)
  const byKey = (entries: ReadonlyArray<Entry>, key: string): ReadonlyArray<number> =>
    entries.filter(({ event }) => event.key === key).map(({ event }) => event.data.n)

  it.effect("P6: the second of a key waits for the first, other keys do not", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      const gate = yield* Deferred.make<void>()
      yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), event.data.n === 0 ? Deferred.await(gate) : Effect.void)
      })
      yield* bus.publishAll(Changed, [
        { n: 0, k: "a" },
        { n: 1, k: "a" },
        { n: 2, k: "b" },
        { n: 3, k: "a" },
        { n: 4, k: "c" }
      ])
      yield* until(
        () => `${ledger.numbers()}`,
        () => ledger.numbers().includes(2) && ledger.numbers().includes(4)
      )
      assert.deepStrictEqual(byKey(ledger.entries, "a"), [0])
      yield* Deferred.succeed(gate, undefined)
      yield* ledger.reaches(5)
      assert.deepStrictEqual(byKey(ledger.entries, "a"), [0, 1, 3])
    })
  )

  it.effect("P6, N7: order of each key over three processes, with failures, at changing speed", () =>
    Effect.gen(function* () {
      const Changed = keyed()
      const name = fresh()
      const keys = 16
      const each = many(60)
      const watch = makeWatch()
      const handled: Array<Entry> = []
      const handler = (event: Entry["event"], info: DeliveryInfo) =>
        watch.over(
          event,
          Effect.gen(function* () {
            const { n } = event.data
            // Spread by the number, not by luck: the same run each time.
            yield* Effect.sleep((n * 7919) % 5)
            if (n % 11 === 0 && info.attempt === 1) return yield* Effect.fail("first")
            if (n % 17 === 0 && info.attempt < 3) return yield* Effect.die("again")
            handled.push({ event, info, at: 0 })
          })
        )
      const open = Effect.gen(function* () {
        const process = yield* start(connect())
        yield* process.subscribe(name, {
          events: [Changed],
          ordering: "key",
          retry: Schedule.spaced("5 millis"),
          handler
        })
        return process
      })
      const [first] = yield* Effect.all([open, open, open])
      const { bus } = yield* shared
      yield* Effect.forEach(
        upTo(keys),
        (key) => Effect.forEach(upTo(each), (n) => bus.publish(Changed, { n, k: `k${key}` }), { discard: true }),
        { concurrency: "unbounded", discard: true }
      )
      yield* until(
        () => `${handled.length} of ${(keys * each) / 3}`,
        () => handled.length >= (keys * each) / 3
      )
      yield* first.stop
      yield* until(
        () => `${handled.length} of ${keys * each}`,
        () => handled.length >= keys * each
      )
      for (const key of upTo(keys)) assert.deepStrictEqual(byKey(handled, `k${key}`), upTo(each), `k${key}`)
      assert.deepStrictEqual(watch.overlaps, [])
    })
  )

  it.effect("P6, C14: a retry of the first event keeps its place; what comes behind it waits, other keys go on", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        retry: Schedule.spaced("300 millis"),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            event.data.n === 0 && info.attempt < 4 ? Effect.fail("no") : Effect.void
          )
      })
      yield* bus.publishAll(Changed, [
        { n: 0, k: "a" },
        ...upTo(20).map((n) => ({ n: n + 1, k: n % 2 === 0 ? "a" : "b" }))
      ])
      yield* ledger.reaches(24)
      assert.deepStrictEqual(byKey(ledger.entries, "a"), [0, 0, 0, 0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
      const heads = ledger.entries.filter(({ event }) => event.data.n === 0)
      assert.deepStrictEqual(
        heads.map(({ info }) => info.attempt),
        [1, 2, 3, 4]
      )
      for (const i of [0, 1, 2]) {
        assert.isAtLeast((heads[i + 1]?.at ?? 0) - (heads[i]?.at ?? 0), 300 - timerTolerance, "P7: a retry was early")
      }
      const lastOfB = ledger.entries.findLastIndex(({ event }) => event.key === "b")
      assert.isBelow(
        lastOfB,
        ledger.entries.findIndex(({ event, info }) => event.data.n === 0 && info.attempt === 2)
      )
    })
  )

  it.effect("P6: Later and Reject within a key keep the order of the others", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      let put = 0
      yield* process.bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        handler: (event, info) =>
          Effect.gen(function* () {
            if (event.data.n === 3 && put++ < 2) return yield* Later.in("50 millis")
            if (event.data.n === 5) return yield* new Reject({ reason: "five" })
            yield* ledger.handler(event, info)
          })
      })
      yield* process.bus.publishAll(
        Changed,
        upTo(10).map((n) => ({ n, k: "a" }))
      )
      yield* ledger.reaches(9)
      assert.deepStrictEqual(ledger.numbers(), [0, 1, 2, 3, 4, 6, 7, 8, 9])
      assert.deepInclude((yield* lettersOf(process, name, 1))[0], { reason: "Rejected" })
    })
  )

  it.effect("P5, C19, N8: a key that never works is given up, and its lane goes on", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        prefetch: 20,
        retry: Schedule.spaced("1 minute"),
        handler: (event, info) => (event.data.n === 0 ? Effect.fail("never") : ledger.handler(event, info))
      })
      yield* process.bus.publishAll(
        Changed,
        upTo(40).map((n) => ({ n, k: "a" }))
      )
      yield* ledger.reaches(39)
      assert.deepStrictEqual(ledger.numbers(), upTo(40).slice(1))
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "LaneFull" })
      assert.deepInclude(letter?.error, { tag: "string", message: "never" })
    })
  )

  it.effect("P6: events without a key run beside the lanes", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      const gate = yield* Deferred.make<void>()
      yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        concurrency: 4,
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), event.key === "blocked" ? Deferred.await(gate) : Effect.void)
      })
      yield* bus.publish(Changed, { n: 0, k: "blocked" })
      yield* bus.publishAll(
        Changed,
        upTo(20).map((n) => ({ n: n + 1, k: `k${n}` }))
      )
      yield* ledger.reaches(21)
      yield* Deferred.succeed(gate, undefined)
    })
  )

  it.effect("P6, P12, C13, C15: stopped in the middle, the next process goes on where it was", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      const watch = makeWatch()
      const count = many(400)
      const open = Effect.gen(function* () {
        const process = yield* start(connect())
        yield* process.subscribe(name, {
          events: [Changed],
          ordering: "key",
          handler: (event, info) => watch.over(event, Effect.delay(ledger.handler(event, info), 2))
        })
        return process
      })
      let process = yield* open
      yield* bus.publishAll(
        Changed,
        upTo(count).map((n) => ({ n, k: `k${n % 4}` }))
      )
      for (const part of [0.2, 0.4, 0.6]) {
        yield* ledger.reaches(Math.floor(count * part))
        // The standby is there before the first one goes.
        const next = yield* open
        yield* process.stop
        process = next
      }
      yield* ledger.reaches(count)
      for (const k of upTo(4))
        assert.deepStrictEqual(
          byKey(ledger.entries, `k${k}`),
          upTo(count).filter((n) => n % 4 === k)
        )
      assert.deepStrictEqual(watch.overlaps, [])
    })
  )

  it.effect("P6, P12: stopped while a key waits for its retry: the next process takes the key up in order", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const name = fresh()
      const [first, second] = [makeLedger(), makeLedger()]
      const process = yield* start(connect())
      yield* process.subscribe(name, {
        events: [Changed],
        ordering: "key",
        retry: Schedule.spaced("5 minutes"),
        handler: (event, info) =>
          Effect.andThen(first.handler(event, info), event.key === "a" ? Effect.fail("no") : Effect.void)
      })
      yield* bus.publishAll(
        Changed,
        upTo(10).map((n) => ({ n, k: n % 2 === 0 ? "a" : "b" }))
      )
      yield* until(
        () => `${first.numbers()}`,
        () => byKey(first.entries, "b").length === 5
      )
      yield* process.stop
      assert.deepStrictEqual(byKey(first.entries, "a"), [0])
      yield* bus.subscribe(name, { events: [Changed], ordering: "key", handler: second.handler })
      yield* second.reaches(5)
      assert.deepStrictEqual(second.numbers(), [0, 2, 4, 6, 8])
    })
  )
}
