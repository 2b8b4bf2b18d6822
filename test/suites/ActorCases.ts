/**
 * What one can ask of a subscriber while it runs, and what it attempts: pause, breaker, rate limit,
 * idempotency; on every transport (P3).
 */
import { assert } from "@effect/vitest"
import { Effect, Layer, Schedule, SubscriptionRef } from "effect"
import { Marks } from "../../src/bus/Marks.ts"
import * as MemoryMarks from "../../src/memory/MemoryMarks.ts"
import { type Bench, fresh, keyed, makeLedger, shared, start, statsBecome, until, upTo } from "./Workbench.ts"

export const actorCases = ({ connect, it }: Bench): void => {
  for (const ordering of ["none", "key"] as const) {
    const pairs = (count: number, from = 0) => upTo(count).map((n) => ({ n: n + from, k: `k${n % 5}` }))

    it.effect(`P3, N1: pauses and resumes under load, gives nothing back; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const Changed = keyed()
        const name = fresh()
        const ledger = makeLedger()
        const subscription = yield* bus.subscribe(name, { events: [Changed], ordering, handler: ledger.handler })
        for (const round of upTo(10)) {
          yield* bus.publishAll(Changed, pairs(20, round * 20))
          yield* round % 2 === 0 ? subscription.pause : subscription.resume
        }
        const reached = ledger.entries.length
        yield* subscription.pause
        yield* statsBecome(subscription, { inFlight: 0 })
        assert.isAtMost(reached, 200)
        yield* subscription.resume
        yield* ledger.reaches(200)
        yield* statsBecome(subscription, { held: 0, returns: 0, handled: 200 })
        assert.deepStrictEqual(ledger.sorted(), upTo(200))
        assert.isTrue(ledger.entries.every(({ info }) => !info.redelivered))
        assert.deepStrictEqual(yield* letters.list(name), [])
        if (ordering === "key") {
          for (const key of upTo(5)) {
            const lane = ledger.entries.flatMap(({ event }) => (event.data.k === `k${key}` ? [event.data.n] : []))
            assert.deepStrictEqual(
              lane,
              lane.toSorted((a, b) => a - b)
            )
          }
        }
      })
    )

    it.effect(`R3: a breaker holds the backlog while a dependency is down; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { bus, letters } = yield* shared
        const Changed = keyed()
        const name = fresh()
        let down = true
        let attempts = 0
        const handled: Array<number> = []
        const subscription = yield* bus.subscribe(name, {
          events: [Changed],
          ordering,
          breaker: { failures: 3, openFor: "200 millis" },
          retry: Schedule.spaced("100 millis").pipe(Schedule.upTo({ times: 50 })),
          handler: ({ data: { n } }) =>
            Effect.suspend(() => {
              attempts++
              return down ? Effect.fail("the database is down") : Effect.sync(() => handled.push(n))
            })
        })
        yield* bus.publishAll(Changed, pairs(100))
        yield* until(
          () => "not paused",
          () => SubscriptionRef.getUnsafe(subscription.status)._tag === "Paused"
        )
        assert.isAtMost(attempts, 3 + 16)
        down = false
        yield* until(
          () => `${new Set(handled).size} of 100`,
          () => new Set(handled).size === 100
        )
        yield* statsBecome(subscription, { held: 0, returns: 0, deadLettered: 0 })
        assert.deepStrictEqual(yield* letters.list(name), [])
      })
    )

    it.effect(`P3: a rate limit lets more wait, and loses none; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Changed = keyed()
        const ledger = makeLedger()
        const subscription = yield* bus.subscribe(fresh(), {
          events: [Changed],
          ordering,
          rateLimit: { limit: 10, window: "100 millis" },
          handler: ledger.handler
        })
        yield* bus.publishAll(Changed, pairs(60))
        yield* ledger.reaches(60)
        yield* statsBecome(subscription, { held: 0, returns: 0, retried: 0, handled: 60 })
        assert.deepStrictEqual(ledger.sorted(), upTo(60))
        const [first, last] = [ledger.entries[0]?.at ?? 0, ledger.entries.at(-1)?.at ?? 0]
        // 60 events, of which 10 pass at once and 10 each tenth of a second.
        assert.isAtLeast(last - first, 400)
      })
    )

    it.effect(
      `P3, N17: two processes apply each event once, though each is published three times; ordering "${ordering}"`,
      () =>
        Effect.gen(function* () {
          const marks = yield* MemoryMarks.make
          const process = () => start(connect().pipe(Layer.provide(Layer.succeed(Marks, marks))))
          const [one, other] = [yield* process(), yield* process()]
          const Changed = keyed()
          const name = fresh()
          const ledger = makeLedger()
          const options = {
            events: [Changed],
            ordering,
            idempotent: true,
            handler: (...delivery: Parameters<typeof ledger.handler>) =>
              Effect.andThen(Effect.sleep(1), ledger.handler(...delivery))
          } as const
          const first = yield* one.subscribe(name, options)
          const second = yield* other.subscribe(name, options)
          for (const _ of upTo(3)) {
            yield* Effect.forEach(pairs(40), (data) => one.bus.publish(Changed, data, { id: `${name}-${data.n}` }), {
              concurrency: 20
            })
            // What is claimed at this moment would wait for the end of that claim, which may be far.
            yield* ledger.reaches(40)
          }
          const settled = Effect.zipWith(
            first.stats,
            second.stats,
            (a, b) => a.handled + a.duplicates + b.handled + b.duplicates
          )
          let count = 0
          yield* Effect.repeat(Effect.andThen(Effect.sleep(5), settled), { until: (now) => (count = now) >= 120 }).pipe(
            Effect.timeoutOrElse({ duration: "30 seconds", orElse: () => Effect.die(new Error(`${count} of 120`)) })
          )
          assert.deepStrictEqual(ledger.sorted(), upTo(40))
        })
    )
  }
}
