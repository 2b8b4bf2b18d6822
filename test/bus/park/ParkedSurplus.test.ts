/** More in the parked queue than one process may hold: other programs wrote there (P3, P6, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import type { Broker, ConsumeOptions, Consumer, Outgoing } from "../../../src/bus/port/Broker.ts"
import type { Subscription } from "../../../src/bus/subscriber/Subscription.ts"
import * as ConsumerSession from "../../../src/bus/supervise/ConsumerSession.ts"
import * as Event from "../../../src/event/Event.ts"
import { send } from "../../../src/ports/conformance/setup/RawMessage.ts"
import { fresh, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { failingSubscriber, isRising, killableProcess, pairs } from "./ParkingStage.ts"

const mebibyte = 1024 * 1024

/** Looks at a subscription whenever something is delivered. */
const counting = () => {
  const seen: { subscription: Subscription | undefined; mostHeld: number } = { subscription: undefined, mostHeld: 0 }
  const look = Effect.map(
    Effect.suspend(() => seen.subscription?.stats ?? Effect.undefined),
    (stats) => {
      seen.mostHeld = Math.max(seen.mostHeld, stats?.held ?? 0)
    }
  )
  const override = (broker: Broker["Service"]): Partial<Broker["Service"]> => ({
    consume: (options) =>
      broker.consume({
        ...options,
        onDelivery: (delivery) => {
          options.onDelivery(delivery)
          Effect.runSync(look)
        }
      })
  })
  return { seen, override }
}

const parkedMessage = (subscriber: string, type: string, id: string, body: Buffer | string): Outgoing => ({
  to: { _tag: "Parked", subscriber },
  key: undefined,
  body,
  properties: { messageId: id, type, timestamp: 0, appId: "foreign", contentType: "application/json" },
  headers: {}
})

/** Three small events of one key are parked. Their process has ended, and other programs write to the parked queue. */
const parkThree = Effect.fnUntraced(function* (name: string) {
  const stage = yield* Stage.make
  const subscriber = failingSubscriber((n, attempt) => n === 0 && attempt === 1)
  const first = yield* killableProcess(stage.server)
  yield* first.subscribe(name, subscriber.options)
  yield* stage.bus.publishAll(subscriber.Changed, pairs(3, "small"))
  yield* Stage.pass(Stage.seconds(4), 500)
  yield* first.kill
  const foreign = yield* killableProcess(stage.server)
  const post = (count: number, body: (n: number) => Buffer | string) =>
    Effect.forEach(upTo(count), (n) =>
      send(foreign.broker, parkedMessage(name, subscriber.Changed.name, `foreign-${n}`, body(n)))
    )
  return { ...stage, ...subscriber, post }
})

/** The small ones stay in order, and the first of them keeps its attempt. */
const smallOnes = [
  [0, 1],
  [0, 2],
  [1, 1],
  [2, 1],
  [3, 1]
]

describe("parking", () => {
  it.effect("P3, P6, P13: large events of other programs in the parked queue fill no memory, and stop no key", () =>
    Effect.gen(function* () {
      const name = fresh()
      const { bus, Changed, letters, options, post, server, tried } = yield* parkThree(name)
      const filling = " ".repeat(mebibyte - 300)
      const count = 90
      yield* post(count, (n) => `{"n":${1000 + n},"k":"k${n % 3}"}${filling}`)
      const { override, seen } = counting()
      const next = yield* killableProcess(server, override)
      seen.subscription = yield* next.subscribe(name, options)
      yield* bus.publish(Changed, { n: 3, k: "small" })
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(10))
      const handled = new Set(
        tried()
          .map(([n = 0]) => n)
          .filter((n) => n >= 1000)
      )
      assert.strictEqual(handled.size + (yield* letters.count(name)), count)
      assert.deepInclude((yield* letters.list(name, { limit: 1 }))[0], { reason: "LaneFull" })
      assert.isAtLeast(handled.size, 1)
      for (const k of upTo(3)) assert.isTrue(isRising([...handled].filter((n) => (n - 1000) % 3 === k)))
      assert.deepStrictEqual(
        tried().filter(([n = 0]) => n < 1000),
        smallOnes
      )
      // Each of the large ones has nearly a MiB.
      assert.isAtMost(seen.mostHeld, ConsumerSession.maxHeldBytes / mebibyte + smallOnes.length)
      const { held, parked } = yield* seen.subscription.stats
      assert.deepStrictEqual({ held, parked }, { held: 0, parked: 0 })
    })
  )

  it.effect("P9, P13: bodies that nobody can read leave the parked queue, whatever their size", () =>
    Effect.gen(function* () {
      const name = fresh()
      const { bus, Changed, letters, options, post, server, tried } = yield* parkThree(name)
      const huge = Buffer.alloc(15 * mebibyte, 32)
      yield* post(12, () => huge)
      const next = yield* killableProcess(server)
      yield* next.subscribe(name, options)
      yield* bus.publish(Changed, { n: 3, k: "small" })
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(10))
      assert.strictEqual(yield* letters.count(name), 12)
      assert.deepInclude((yield* letters.list(name, { limit: 1 }))[0], { reason: "Invalid" })
      assert.deepStrictEqual(tried(), smallOnes)
    })
  )

  it.effect(
    "P13: the consumer of the parked queue is full when its window is used up, since the rest cannot come",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const name = fresh()
        yield* stage.broker.declare({ name, ordering: "key", patterns: [], parking: true })
        for (const n of upTo(3)) yield* send(stage.broker, parkedMessage(name, "a.b", `m-${n}`, "{}"))
        const isFull = (prefetch: number, parked: boolean) =>
          Effect.gen(function* () {
            const consume = (options: Omit<ConsumeOptions, "subscriber">) =>
              stage.broker.consume({ ...options, subscriber: name, queue: "parked" })
            const ignoring = { offer: () => {}, accept: () => {}, consumers: new Set<Consumer>() }
            const session = yield* ConsumerSession.open(consume, ignoring, { prefetch, isolated: false, parked })
            yield* Stage.turns
            return Option.isSome(yield* Effect.timeoutOption(session.full, 0))
          }).pipe(Effect.scoped)
        assert.isTrue(yield* isFull(3, true))
        assert.isFalse(yield* isFull(4, true))
        assert.isFalse(yield* isFull(3, false))
      })
  )

  it.effect("P3: an event without a key leaves the parked queue, too", () =>
    Effect.gen(function* () {
      const name = fresh()
      const { Changed, options, post, server, tried } = yield* parkThree(name)
      yield* post(1, () => `{"n":9}`)
      const keyless = Event.make(Changed.name, { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
      const next = yield* killableProcess(server)
      const subscription = yield* next.subscribe(name, { ...options, events: [keyless], handler: options.handler })
      yield* Stage.pass(Stage.seconds(10), 500)
      assert.deepStrictEqual(tried().at(-1), [9, 1])
      assert.deepInclude(yield* subscription.stats, { held: 3, parked: 3 })
    })
  )
})
