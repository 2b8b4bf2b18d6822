/** Without ordering, an event is judged by its own starts, never by the company in which it came back (P3). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schedule } from "effect"
import { fresh, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import { notSent } from "../../../src/bus/port/SendOutcome.ts"
import type { Subscription } from "../../../src/bus/subscriber/Subscription.ts"
import * as Stage from "../Stage.ts"
import { dieWithAll, killableProcess, type Override } from "./ParkingStage.ts"

/** More than the broker returns an event. */
const deaths = 22
/** More than start in all of these lives. */
const many = 30
const count = 6

/** What keeps the events of a subscriber from starting in each process that dies. */
const obstacles: ReadonlyArray<{
  readonly name: string
  readonly begun: (subscription: Subscription) => Effect.Effect<void>
  readonly options: object
}> = [
  { name: "it is paused", begun: ({ pause }) => pause, options: {} },
  {
    name: "its rate limit is used up",
    begun: () => Effect.void,
    options: { rateLimit: { limit: 1, window: "1 hour" } }
  },
  {
    name: "its breaker is open",
    begun: () => Effect.void,
    options: { breaker: { failures: 1, openDuration: "1 hour" } }
  }
]

describe("suspects without ordering", () => {
  for (const { begun, name: why, options } of obstacles)
    it.effect(`P3, C11: ${deaths} deaths of a process whose events do not start, since ${why}: no dead letter`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const Happened = numbered()
        const name = fresh()
        const started = new Set<number>()
        yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
        yield* stage.bus.publishAll(Happened, numbers(many)).pipe(Effect.forkChild({ startImmediately: true }))
        for (let life = 0; life < deaths; life++) {
          const one = yield* killableProcess(stage.server)
          const subscription = yield* one.subscribe(name, {
            events: [Happened],
            ...options,
            // The first of them uses up the limit, or opens the breaker.
            handler: ({ data: { n } }) =>
              Effect.andThen(
                Effect.sync(() => void started.add(n)),
                Effect.fail("not now")
              ),
            retry: Schedule.spaced("1 hour")
          })
          yield* begun(subscription)
          yield* Stage.pass(500, 20)
          yield* one.kill
          yield* Stage.turns
        }
        assert.isBelow(started.size, many)
        const handled: Array<number> = []
        const last = yield* killableProcess(stage.server)
        yield* last.subscribe(name, {
          events: [Happened],
          handler: ({ data: { n } }) => Effect.sync(() => void handled.push(n))
        })
        yield* Stage.pass(Stage.minutes(1), 500)
        assert.deepStrictEqual(yield* stage.letters.list(name), [])
        assert.sameMembers(
          handled.filter((n) => !started.has(n)),
          upTo(many).filter((n) => !started.has(n))
        )
      })
    )

  for (const killers of [[0], [3], [5], [0, 2, 5]])
    it.effect(`P3, C11: killers ${killers.join(", ")} of ${count} become dead letters after few deaths`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const Happened = numbered()
        const name = fresh()
        const handled: Array<number> = []
        let died = 0
        yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
        yield* stage.bus.publishAll(Happened, numbers(count)).pipe(Effect.forkChild({ startImmediately: true }))
        const isOver = Effect.map(
          stage.letters.count(name),
          (letters) => letters >= killers.length && new Set(handled).size >= count - killers.length
        )
        for (let life = 0; life < 30 && !(yield* isOver); life++) {
          const one = yield* killableProcess(stage.server)
          let isAlive = true
          yield* one.subscribe(name, {
            events: [Happened],
            handler: ({ data: { n } }) =>
              Effect.suspend(() => {
                if (!isAlive) return Effect.never
                if (!killers.includes(n)) return Effect.sync(() => void handled.push(n))
                died++
                isAlive = false
                return Effect.andThen(Effect.forkDetach(one.kill), Effect.never)
              })
          })
          for (let second = 0; second < 30 && isAlive && !(yield* isOver); second++) yield* Stage.pass(1_000, 20)
        }
        const letters = yield* stage.letters.list(name)
        assert.sameMembers(
          letters.map(({ body }) => JSON.parse(body.toString()).data.n),
          killers
        )
        for (const letter of letters) {
          assert.strictEqual(letter.reason, "CrashLoop")
          assert.include(letter.error.message, "started 3 times")
        }
        assert.sameMembers(
          [...new Set(handled)],
          upTo(count).filter((n) => !killers.includes(n))
        )
        assert.isAtMost(died, 2 + 3 * killers.length)
      })
    )

  it.effect("P3, C12: a start that a drain interrupts is taken back", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      yield* stage.bus.publish(Happened, { n: 0 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* dieWithAll(stage.broker, name, 3)
      for (let life = 0; life < 5; life++) {
        const started = yield* Deferred.make<void>()
        const one = yield* killableProcess(stage.server)
        yield* one.subscribe(name, {
          events: [Happened],
          handler: () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
        })
        yield* Effect.andThen(Effect.forkChild(Stage.pass(3_000, 20)), Deferred.await(started))
        yield* Effect.andThen(Effect.forkChild(one.stop), Stage.pass(30_000, 500))
      }
      const handled: Array<number> = []
      const last = yield* killableProcess(stage.server)
      yield* last.subscribe(name, {
        events: [Happened],
        handler: ({ data: { n } }) => Effect.sync(() => void handled.push(n))
      })
      yield* Stage.pass(Stage.seconds(10), 100)
      assert.deepStrictEqual(yield* stage.letters.list(name), [])
      assert.deepStrictEqual(handled, [0])
    })
  )

  it.effect("P3: a process that ran all the time takes over what another one held when it died", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      const handledBy: Array<string> = []
      const service = (who: string, handle: Effect.Effect<void>) =>
        Effect.gen(function* () {
          const one = yield* killableProcess(stage.server)
          yield* one.subscribe(name, {
            events: [Happened],
            deadline: "20 minutes",
            handler: (_, { redelivered }) =>
              Effect.andThen(
                Effect.sync(() => void handledBy.push(redelivered ? who : "none")),
                handle
              )
          })
          return one
        })
      yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      yield* stage.bus.publish(Happened, { n: 0 }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* dieWithAll(stage.broker, name, 2)
      const first = yield* service("first", Effect.never)
      yield* Stage.pass(2_000, 20)
      assert.deepStrictEqual(handledBy, ["first"])
      yield* service("second", Effect.void)
      // Long after it has looked for suspects.
      yield* Stage.pass(Stage.minutes(7), 1_000)
      assert.deepStrictEqual(handledBy, ["first"])
      yield* first.kill
      yield* Stage.pass(Stage.minutes(2), 1_000)
      assert.deepStrictEqual(handledBy, ["first", "second"])
    })
  )

  it.effect("P3, T2: without the right to move what came back, it runs from where it is, and stops give it back", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Happened = numbered()
      const name = fresh()
      let refused = 0
      const reason = new PermissionDenied({ entity: "exchange test.parked (write)", username: "service" })
      const withoutCopies: Override = (broker) => ({
        send: (copy) => {
          const { to } = copy.message
          if (to._tag !== "Parked" && to._tag !== "Subscriber") return broker.send(copy)
          refused++
          setImmediate(() => copy.answered(notSent(new BrokerError({ reason }))))
        }
      })
      yield* stage.broker.declare({ name, ordering: "none", patterns: [Happened.name] })
      yield* stage.bus.publishAll(Happened, numbers(count)).pipe(Effect.forkChild({ startImmediately: true }))
      yield* Stage.turns
      yield* dieWithAll(stage.broker, name, 3)
      const paused = yield* killableProcess(stage.server, withoutCopies)
      const subscription = yield* paused.subscribe(name, { events: [Happened], handler: () => Effect.void })
      yield* subscription.pause
      yield* Stage.pass(1_000, 20)
      yield* Effect.andThen(Effect.forkChild(paused.stop), Stage.pass(30_000, 500))
      const handled: Array<number> = []
      const { subscribe } = yield* killableProcess(stage.server, withoutCopies)
      yield* subscribe(name, {
        events: [Happened],
        handler: ({ data: { n } }) => Effect.sync(() => void handled.push(n))
      })
      yield* Stage.pass(Stage.minutes(1), 500)
      assert.deepStrictEqual(yield* stage.letters.list(name), [])
      assert.sameMembers([...new Set(handled)], [...upTo(count)])
      assert.isAbove(refused, 0, "nothing was to be moved: the test shows nothing")
    })
  )
})
