/** Parked keys when a consumer is lost or renewed (P6, P11, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import * as ControlMessage from "../../../src/bus/delivery/ControlMessage.ts"
import { controlMessage } from "../../../src/bus/delivery/Copies.ts"
import { inFlight } from "../../../src/bus/port/Broker.ts"
import type { Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { dieWithAll, failingSubscriber, isRising, killableProcess, losingConfirmsFrom, pairs } from "./ParkingStage.ts"

describe("parking", () => {
  it.effect("P6, P11: when the consumer of the parked queue is lost, no later event of a parked key runs first", () =>
    Effect.gen(function* () {
      const { bus, server } = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 2)
      const slow = {
        ...options,
        handler: (event: Entry["event"], info: Entry["info"]) =>
          Effect.andThen(options.handler(event, info), Effect.sleep(100))
      }
      const subscription = yield* bus.subscribe(name, slow)
      yield* bus.publishAll(Changed, pairs(6))
      yield* Stage.pass(Stage.minutes(20) + 200, Stage.seconds(5))
      // Its lane runs, and events of its key wait behind the parked ones.
      yield* Effect.forkChild(bus.publishAll(Changed, pairs(6, "a", 6)), { startImmediately: true })
      yield* Stage.pass(50, 10)
      server.cancelConsumers(name, "parked")
      yield* Stage.pass(Stage.minutes(5), 100)
      const order = tried().map(([n]) => n)
      assert.isTrue(isRising([...new Set(order)].map(Number)), `${order}`)
      assert.strictEqual(new Set(order).size, 12)
      assert.isAbove((yield* subscription.stats).handled, 0)
    })
  )

  it.effect("P6: events that are published while the consumer is renewed run after the parked ones", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 2)
      yield* bus.subscribe(name, options)
      yield* bus.publishAll(Changed, pairs(2))
      yield* Stage.pass(Stage.minutes(9) + Stage.seconds(58), Stage.seconds(1))
      // One in each turn of the event loop, before, during and after the renewal.
      const many = 400
      yield* Effect.forkChild(
        Effect.forEach(upTo(many), (n) => bus.publish(Changed, { n: n + 2, k: "a" }), { discard: true }),
        { startImmediately: true }
      )
      yield* Stage.pass(Stage.seconds(4), 20)
      yield* Stage.pass(Stage.minutes(12), Stage.seconds(1))
      assert.deepStrictEqual(tried(), [[0, 1], [0, 2], ...upTo(many + 1).map((n) => [n + 1, 1])])
    })
  )

  it.effect("P11, P13: a process that lost its consumer holds no event that waited behind a parked key", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = failingSubscriber((n, attempt) => n === 0 && attempt < 2)
      const lossy = losingConfirmsFrom(1)
      const one = yield* killableProcess(stage.server, lossy.override)
      const first = yield* one.subscribe(name, options)
      const two = yield* killableProcess(stage.server)
      yield* two.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(4))
      yield* Stage.pass(Stage.seconds(2), 100)
      // All four events, and the copy of the head, whose confirm has not arrived.
      assert.strictEqual((yield* first.stats).held, 5)
      stage.server.cancelConsumers(name, "own")
      yield* lossy.cut
      yield* Stage.pass(Stage.minutes(45), Stage.seconds(5))
      assert.strictEqual((yield* first.stats).held, 0)
      assert.strictEqual((yield* SubscriptionRef.get(first.status))._tag, "Running")
      const order = [...new Set(tried().map(([n]) => n))]
      assert.deepStrictEqual(order, [0, 1, 2, 3])
    })
  )

  it.effect("P3: a reminder that came back does not use up its lives in processes that die before they read", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const { Changed, options } = failingSubscriber(() => false)
      const name = fresh()
      yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
      const reminder = ControlMessage.write({ _tag: "Reminder", id: "r" }, name, 0, true)
      const message = { ...controlMessage(reminder, name, 0), headers: reminder.headers }
      stage.broker.send(inFlight(message, () => {}))
      yield* Stage.pass(2_000, 100)
      yield* dieWithAll(stage.broker, name, 2)
      assert.strictEqual((yield* stage.broker.depth(name)).ready, 1)
      // It never learns what is parked.
      const process = yield* killableProcess(stage.server, (broker) => ({
        depth: (of, queue) => (queue === "parked" ? Effect.never : broker.depth(of, queue))
      }))
      yield* process.subscribe(name, options)
      yield* Stage.pass(500, 100)
      yield* process.kill
      yield* Stage.pass(500, 100)
      assert.strictEqual((yield* stage.broker.depth(name)).ready, 0)
    })
  )
})
