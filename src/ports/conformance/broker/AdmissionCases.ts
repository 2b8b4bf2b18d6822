/** Pause, breaker, rate limit and idempotency: no event is lost by them (P3). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, keyed, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { sendRaw } from "../setup/RawMessage.ts"
import { lettersOf, statsBecome, until } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"

type Ordering = "none" | "key"

/** Events over five keys. */
const pairs = (count: number, from = 0) => upTo(count).map((n) => ({ n: n + from, k: `k${n % 5}` }))

const pausesAndResumes = (ordering: Ordering): BrokerCase =>
  brokerCase(`P3, N1: a subscriber pauses and resumes under load and returns no event; ordering "${ordering}"`, () =>
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

const reusedIds = (ordering: Ordering): BrokerCase =>
  brokerCase(
    `N17, P3: an id that is used for other data is a dead letter, never an ack; ordering "${ordering}"`,
    ({ claims, connect }) =>
      Effect.gen(function* () {
        const { bus, letters } = yield* start(connect().pipe(Layer.provide(claims)))
        const Changed = keyed()
        const name = fresh()
        const ledger = makeLedger()
        const options = { events: [Changed], ordering, idempotent: true, handler: ledger.handler } as const
        const subscription = yield* bus.subscribe(name, options)
        const same = { id: fresh() }
        yield* bus.publish(Changed, { n: 1, k: "k" }, same)
        yield* statsBecome(subscription, { handled: 1 })
        // Published again, at another time: the same event.
        yield* bus.publish(Changed, { n: 1, k: "k" }, same)
        yield* statsBecome(subscription, { duplicates: 1 })
        yield* bus.publish(Changed, { n: 2, k: "k" }, same)
        const [letter, ...more] = yield* lettersOf({ letters }, name, 1)
        assert.deepStrictEqual(more, [])
        assert(letter?.reason === "IdReused" && letter.eventId === same.id && letter.attempts === 0, "another letter")
        assert.deepStrictEqual(ledger.sorted(), [1])
        // Its key goes on.
        yield* bus.publish(Changed, { n: 3, k: "k" })
        yield* statsBecome(subscription, { handled: 2, deadLettered: 1, duplicates: 1, held: 0 })
      })
  )

const breakerHoldsBacklog = (ordering: Ordering): BrokerCase =>
  brokerCase(`R3: a breaker keeps the backlog waiting while a dependency is down; ordering "${ordering}"`, () =>
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
        breaker: { failures: 3, openDuration: "200 millis" },
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

const rateLimitLosesNone = (ordering: Ordering): BrokerCase =>
  brokerCase(`P3: a rate limit makes events wait and loses none; ordering "${ordering}"`, () =>
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

const idempotentOverProcesses = (ordering: Ordering): BrokerCase =>
  brokerCase(
    `P3, N17: two processes apply each event once, although each is published three times; ordering "${ordering}"`,
    ({ claims, connect }) =>
      Effect.gen(function* () {
        const shared = yield* Layer.build(claims)
        const process = () => start(connect().pipe(Layer.provide(Layer.succeedContext(shared))))
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
          // An event that is claimed at this moment would wait until that claim expires, which may be long.
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

const identityIsWhole = (ordering: Ordering): BrokerCase =>
  brokerCase(
    `P3, N17: a duplicate has the same source, type and id; without an id nothing is one; ordering "${ordering}"`,
    ({ claims, connect }) =>
      Effect.gen(function* () {
        const shared = yield* Layer.build(claims)
        const process = (source: string) => start(connect({ source }).pipe(Layer.provide(Layer.succeedContext(shared))))
        const [north, south] = [yield* process("shop-north"), yield* process("shop-south")]
        const [Paid, Sent] = [keyed(fresh("paid")), keyed(fresh("sent"))]
        const ledger = makeLedger()
        const subscription = yield* north.subscribe(fresh(), {
          events: [Paid, Sent],
          ordering,
          idempotent: true,
          handler: ledger.handler
        })
        const id = `17 of ${Paid.name}`
        for (const round of upTo(2)) {
          yield* north.bus.publish(Paid, { n: 0, k: "a" }, { id })
          yield* south.bus.publish(Paid, { n: 1, k: "a" }, { id })
          yield* north.bus.publish(Sent, { n: 2, k: "a" }, { id })
          yield* statsBecome(subscription, { handled: 3, duplicates: 3 * round, held: 0 })
        }
        for (const n of [3, 3, 4]) {
          yield* sendRaw(north.broker, Paid.name, JSON.stringify({ n, k: "a" }), {}, { messageId: "" })
        }
        yield* statsBecome(subscription, { handled: 6, duplicates: 3, deadLettered: 0, held: 0 })
        assert.deepStrictEqual(ledger.sorted(), [0, 1, 2, 3, 3, 4])
      })
  )

export const admissionCases: ReadonlyArray<BrokerCase> = (["none", "key"] as const).flatMap((ordering) => [
  pausesAndResumes(ordering),
  reusedIds(ordering),
  breakerHoldsBacklog(ordering),
  rateLimitLosesNone(ordering),
  idempotentOverProcesses(ordering),
  identityIsWhole(ordering)
])
