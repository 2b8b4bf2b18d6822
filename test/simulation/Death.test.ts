/**
 * Processes that die at the worst moment, one moment at a time: the real bus over a broker that kills its
 * client there. Simulation.test.ts has the same moments at random, and all of them together.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, References, Schedule, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Reject } from "../../src/bus/subscriber/HandlerError.ts"
import * as EventBusMake from "../../src/bus/EventBusMake.ts"
import { DeadLetters } from "../../src/bus/deadletter/DeadLetters.ts"
import { EventBus } from "../../src/bus/EventBus.ts"
import * as DeadLettersLive from "../../src/bus/deadletter/DeadLettersLive.ts"
import type { DeliveryInfo } from "../../src/bus/subscriber/SubscriberOptions.ts"
import type { Faults } from "../../src/memory/Faults.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { Plain } from "./Setup.ts"
import { turns } from "./SimClock.ts"

/** A broker with the given faults, and processes to start on it. */
const makeBroker = Effect.fnUntraced(function* (faults: Partial<Faults>) {
  const dead: Array<string> = []
  const server = yield* MemoryServer.makeWith({
    faults: {
      onSend: () => "none",
      onDelivery: () => "none",
      onAck: () => "none",
      lateTurns: () => 1,
      outageMillis: () => 100,
      crashed: (client) => void dead.push(client),
      ...faults
    }
  })
  /** A process; it ends when it dies, or with the test. */
  const start = Effect.fnUntraced(function* (name: string) {
    const scope = yield* Scope.make()
    const layer = Layer.merge(EventBusMake.layerWith({ drainTimeout: "1 second" }), DeadLettersLive.layer).pipe(
      Layer.provide(Layer.merge(MemoryBroker.layerOf(server, { name }), MemoryCache.layer)),
      Layer.provide(Layer.succeed(References.MinimumLogLevel, "None" as const))
    )
    const context = yield* Layer.buildWithScope(layer, scope)
    yield* Effect.addFinalizer(() => Effect.forkDetach(Scope.close(scope, Exit.void)))
    const handled: Array<{ readonly id: string; readonly n: number; readonly info: DeliveryInfo }> = []
    return {
      bus: Context.get(context, EventBus),
      letters: Context.get(context, DeadLetters),
      handled,
      subscribe: (fails: (info: DeliveryInfo) => boolean = () => false, error: unknown = "no") =>
        Context.get(context, EventBus)
          .subscribe("s", {
            events: [Plain],
            retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
            handler: (event, info) =>
              Effect.suspend(() => {
                handled.push({ id: event.id, n: event.data.n, info })
                return fails(info) ? Effect.fail(error) : Effect.void
              })
          })
          .pipe(Scope.provide(scope))
    }
  })
  return { dead, server, start }
})

const settle = (millis = 1) => Effect.andThen(turns(40), Effect.andThen(TestClock.adjust(millis), turns(40)))
const once = <A>(fault: A, when: (id: string) => boolean = () => true) => {
  let left = true
  return (_: string, id: string): A | "none" => {
    if (!left || !when(id)) return "none"
    left = false
    return fault
  }
}

describe("a subscriber's process", () => {
  it.effect("C1, P3: dies between handling and ack: the event is handled again, with the same id", () =>
    Effect.gen(function* () {
      const { dead, start } = yield* makeBroker({ onAck: once("crash-before") })
      const [first, second] = [yield* start("first"), yield* start("second")]
      yield* first.subscribe()
      yield* Effect.forkChild(second.bus.publish(Plain, { n: 1, k: "" }, { id: "e-1" }))
      yield* settle()
      assert.deepStrictEqual(dead, ["first"])
      yield* second.subscribe()
      yield* settle()
      assert.deepStrictEqual(
        [...first.handled, ...second.handled].map(({ id, info }) => [id, info.attempt, info.redelivered]),
        [
          ["e-1", 1, false],
          ["e-1", 1, true]
        ]
      )
    })
  )

  it.effect(
    "R2, P3, P7: dies between the confirm of a retry and the ack: both are handled, with one id, neither too early",
    () =>
      Effect.gen(function* () {
        const { dead, start } = yield* makeBroker({ onAck: once("crash-before") })
        const [first, second] = [yield* start("first"), yield* start("second")]
        yield* first.subscribe(({ attempt }) => attempt === 1)
        yield* Effect.forkChild(second.bus.publish(Plain, { n: 1, k: "" }, { id: "e-1" }))
        yield* settle()
        assert.deepStrictEqual(dead, ["first"])
        yield* second.subscribe()
        yield* settle(998)
        assert.deepStrictEqual(
          second.handled.map(({ info }) => info.attempt),
          [1]
        )
        yield* settle(1)
        assert.deepStrictEqual(
          second.handled.map(({ id, info }) => [id, info.attempt]),
          [
            ["e-1", 1],
            ["e-1", 2]
          ]
        )
        assert.deepStrictEqual(yield* second.letters.list("s"), [])
      })
  )

  it.effect("R1, P3: dies before its dead letter is stored: the event comes again and is dead-lettered then", () =>
    Effect.gen(function* () {
      let sends = 0
      const { dead, start } = yield* makeBroker({ onSend: () => (++sends === 3 ? "crash-before-store" : "none") })
      const [first, second] = [yield* start("first"), yield* start("second")]
      yield* first.subscribe(() => true)
      yield* Effect.forkChild(second.bus.publish(Plain, { n: 1, k: "" }, { id: "e-1" }))
      yield* settle()
      yield* settle(1000)
      assert.deepStrictEqual([dead, yield* second.letters.count("s")], [["first"], 0])
      yield* second.subscribe(() => true)
      yield* settle()
      const [letter] = yield* second.letters.list("s")
      assert.deepInclude(letter, { eventId: "e-1", reason: "Exhausted", attempts: 2 })
    })
  )
})

describe("a publisher's process", () => {
  it.effect(
    "PUB20, P2: dies between the confirm and its own records and publishes again: a duplicate with the same id",
    () =>
      Effect.gen(function* () {
        const { dead, start } = yield* makeBroker({ onSend: once("crash-after-store") })
        const [first, second] = [yield* start("first"), yield* start("second")]
        yield* second.subscribe()
        const lost = yield* Effect.forkChild(first.bus.publish(Plain, { n: 1, k: "" }, { id: "e-1" }))
        yield* settle()
        assert.deepStrictEqual(dead, ["first"])
        yield* Effect.forkChild(second.bus.publish(Plain, { n: 1, k: "" }, { id: "e-1" }))
        yield* settle()
        assert.deepStrictEqual(
          second.handled.map(({ id }) => id),
          ["e-1", "e-1"]
        )
        yield* Fiber.interrupt(lost)
      })
  )

  it.effect("PUB2, P2: loses a confirm and sends again: Confirmed, and the duplicate has the same id", () =>
    Effect.gen(function* () {
      const { start } = yield* makeBroker({ onSend: once("lose-confirm") })
      const process = yield* start("first")
      yield* process.subscribe()
      const publish = yield* Effect.forkChild(process.bus.publish(Plain, { n: 1, k: "" }, { id: "e-1" }))
      yield* settle(50)
      assert.deepStrictEqual(yield* Fiber.join(publish), { id: "e-1", routed: true })
      assert.deepStrictEqual(
        process.handled.map(({ id }) => id),
        ["e-1", "e-1"]
      )
    })
  )
})

describe("a replay", () => {
  it.effect("R6, P8: loses nothing when it is killed midway, and goes on when it runs again", () =>
    Effect.gen(function* () {
      let replaying = false
      let sends = 0
      // The third copy is stored, and its process dies before the dead letter is acknowledged.
      const { dead, start } = yield* makeBroker({
        onSend: () => (replaying && ++sends === 3 ? "crash-after-store" : "none")
      })
      const [operator, worker] = [yield* start("operator"), yield* start("worker")]
      let healed = false
      yield* worker.subscribe(() => !healed)
      for (const n of [1, 2, 3, 4, 5]) {
        yield* Effect.forkChild(worker.bus.publish(Plain, { n, k: "" }, { id: `e-${n}` }))
      }
      yield* settle()
      yield* settle(1000)
      assert.strictEqual(yield* worker.letters.count("s"), 5)
      healed = true
      replaying = true
      worker.handled.length = 0
      // A dead process never finishes: nothing joins it.
      yield* Effect.forkDetach(operator.letters.replay("s"))
      yield* settle()
      assert.deepStrictEqual([dead, yield* worker.letters.count("s")], [["operator"], 3])
      const rest = yield* Effect.forkChild(worker.letters.replay("s"))
      yield* settle()
      yield* Fiber.join(rest)
      assert.deepStrictEqual(worker.handled.map(({ n }) => n).toSorted(), [1, 2, 3, 3, 4, 5])
      assert.isTrue(worker.handled.every(({ info }) => info.attempt === 1 && info.replays === 1))
      assert.strictEqual(yield* worker.letters.count("s"), 0)
    })
  )

  it.effect("R5, P8: restarts the attempts, keeps the history, and skips what is dead-lettered meanwhile", () =>
    Effect.gen(function* () {
      const { start } = yield* makeBroker({})
      const process = yield* start("one")
      // Each becomes a dead letter again at once, while the others are still to be replayed.
      yield* process.subscribe(() => true, new Reject({ reason: "never" }))
      for (const n of [1, 2, 3]) {
        yield* Effect.forkChild(process.bus.publish(Plain, { n, k: "" }, { id: `e-${n}` }))
      }
      yield* settle()
      for (const replays of [1, 2, 3]) {
        process.handled.length = 0
        const replay = yield* Effect.forkChild(process.letters.replay("s"))
        yield* settle()
        yield* Fiber.join(replay)
        assert.deepStrictEqual(process.handled.map(({ n }) => n).toSorted(), [1, 2, 3])
        assert.isTrue(process.handled.every(({ info }) => info.attempt === 1 && info.replays === replays))
        const letters = yield* process.letters.list("s")
        assert.lengthOf(letters, 3)
        for (const letter of letters) {
          assert.deepInclude(letter, { attempts: 1, replays, reason: "Rejected" })
          assert.lengthOf(letter.failures, replays + 1)
        }
      }
    })
  )
})
