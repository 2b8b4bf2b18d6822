/** Connections that break, hang, are blocked or close at the wrong moment: each send ends once, everything comes back, nothing stays behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random, Redacted, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import { vi } from "vitest"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import { settle } from "../../../src/amqp/AmqpOptions.ts"
import * as Connection from "../../../src/amqp/connection/Connection.ts"
import { Health } from "../../../src/observe/Health.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { recordedLog } from "../../support/RecordedLog.ts"
import { alone } from "../setup/AloneConnection.ts"
import { consume, drained, subscriber } from "../setup/Consumers.ts"
import { quickReconnects, linksOf, open, proxyTo, statusIs } from "../setup/OpenBroker.ts"
import {
  answered,
  assertOnce,
  assertStored,
  event,
  idsOf,
  outgoing,
  post,
  send,
  sendMany,
  sendUntilConfirmed,
  type Sent
} from "../setup/Sends.ts"
import { until, untilEffect } from "../setup/Until.ts"

/** Nothing else ends a close over a connection with these settings while the test runs. */
const patient = { connectTimeout: "5 minutes", heartbeat: "5 minutes", callTimeout: "5 minutes" } as const
/** A close is bounded by its own deadlines, whatever the other end does. They are shorter, but the machine may be busy. */
const bounded = <A>(close: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.timeoutOrElse(close, {
    duration: "1 minute",
    orElse: () => Effect.die(new Error("closing took more than a minute"))
  })

export const connectionCases = (node: () => RabbitNode): void => {
  const through = (port: number): string => `amqp://guest:guest@127.0.0.1:${port}`

  describe.concurrent("Connection", () => {
    it.live("S4, S2: closing while it connects to a frozen broker is bounded and leaves no socket behind", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        proxy.stall("down")
        const { close } = yield* open(through(proxy.port), { ...patient, waitForBroker: true })
        yield* until(
          () => "a connection",
          () => proxy.connections() > 0
        )
        yield* bounded(close)
        yield* until(
          () => "no connection",
          () => proxy.connections() === 0
        )
      })
    )

    it.live(
      "PUB3, S2: closing over a connection that hangs is bounded; each send is answered once; nothing comes back when the connection recovers",
      () =>
        Effect.gen(function* () {
          const proxy = yield* proxyTo(node().port)
          const { broker, close } = yield* open(through(proxy.port), patient)
          yield* broker.declare(subscriber("a", ["x"]))
          const consumer = yield* consume(broker, "a")
          // Until its first message is confirmed, the others of a topic wait for it.
          yield* send(broker, outgoing(event("x")))
          proxy.stall("both")
          const posts = Array.from({ length: 300 }, () => post(broker, outgoing(event("x"))))
          yield* bounded(close)
          yield* answered(posts)
          assertOnce(posts)
          assert.deepStrictEqual([...new Set(posts.map(({ outcomes: [outcome] }) => outcome?._tag))], ["Unknown"])
          assert.isTrue(consumer.losses.length <= 1)
          proxy.resume()
          yield* until(
            () => "no connection",
            () => proxy.connections() === 0
          )
        })
    )

    it.live(
      "PUB2: the connection breaks again and again with hundreds in flight: each send is answered once, and confirmed messages are stored",
      () =>
        Effect.gen(function* () {
          const proxy = yield* proxyTo(node().port)
          const { broker } = yield* open(through(proxy.port)).pipe(
            Effect.provideService(Random.Random, quickReconnects)
          )
          yield* broker.declare(subscriber("a", ["x", "end"]))
          const posts: Array<Sent> = []
          for (let round = 0; round < 5; round++) {
            yield* statusIs(broker, "Up")
            // Until its right is known on a connection, a topic is not in flight there.
            yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
            yield* sendMany(broker, "x", posts, 300)
            if (round % 2 === 0) proxy.stall("down")
            yield* sendMany(broker, "x", posts, 100)
            proxy.reset()
            proxy.resume()
          }
          yield* answered(posts)
          assert.isAbove(idsOf(posts, "Unknown").length, 0)
          assertStored(posts, yield* drained(broker, "a", "end"))
        })
    )
  })

  describe("Connection, one after the other", () => {
    it.effect("PUB19: the wait before a reconnect grows through an outage, however long the connection had lived", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        let asked = 0
        const credentials = Effect.sync(() => {
          asked++
          return { username: "guest", password: Redacted.make("guest") }
        })
        yield* TestClock.adjust("1 hour")
        // No answer is missed while time leaps.
        const { broker } = yield* open(`amqp://127.0.0.1:${proxy.port}`, { credentials, callTimeout: "1 hour" })
        yield* TestClock.adjust("10 minutes")
        yield* Effect.promise(() => proxy.refuse(true))
        let last = SubscriptionRef.getUnsafe(broker.status)
        // A failed attempt is reported by a new status.
        const failed = Effect.promise(async () => {
          await vi.waitUntil(() => {
            const now = SubscriptionRef.getUnsafe(broker.status)
            return now !== last && now._tag === "Connecting"
          }, 120_000)
          last = SubscriptionRef.getUnsafe(broker.status)
        })
        proxy.reset()
        yield* failed
        const waits: Array<number> = []
        for (let attempt = 0; attempt < 6; attempt++) {
          const before = asked
          let waited = 0
          for (; asked === before; waited += 100) yield* TestClock.adjust("100 millis")
          waits.push(waited)
          yield* failed
        }
        assert.deepStrictEqual(waits, [200, 400, 800, 1600, 3200, 6400])
        yield* Effect.promise(() => proxy.refuse(false))
      }).pipe(Effect.provideService(Random.Random, { nextDoubleUnsafe: () => 0.999, nextIntUnsafe: () => 0 }))
    )

    it.live(
      "P11, S5, O5: after 50 flaps the broker has as many connections and channels as before, and consumers work",
      () =>
        Effect.gen(function* () {
          const proxy = yield* proxyTo(node().port)
          // Those of the test before may still be closing.
          const before = yield* linksOf(node(), (links) => links === 0)
          const warnings: Array<Error> = []
          const warn = (warning: Error): void => void warnings.push(warning)
          process.on("warning", warn)
          yield* Effect.addFinalizer(() => Effect.sync(() => process.off("warning", warn)))
          const namespace = freshNamespace()
          const bus = yield* start(
            processOver(
              Layer.merge(
                AmqpBroker.layer({
                  servers: through(proxy.port),
                  namespace,
                  source: "flaps",
                  canaryInterval: "1 hour"
                }),
                MemoryCache.layer
              )
            )
          ).pipe(Effect.provideService(Random.Random, quickReconnects))
          const contract = keyed("flap.happened")
          const ledger = makeLedger()
          const subscription = yield* bus.subscribe("flap.handler", { events: [contract], handler: ledger.handler })
          // Three connections, two channels to publish on, one to consume, one to look at queues.
          const whole = yield* linksOf(node(), (links) => links === before + 7)
          for (let flap = 0; flap < 50; flap++) {
            yield* until(
              () => "both connections",
              () => proxy.connections() >= 2
            )
            yield* statusIs(bus.broker, "Up")
            proxy.reset()
          }
          for (let n = 0; n < 20; n++) yield* bus.bus.publish(contract, { n, k: `k${n}` })
          yield* until(
            () => `${new Set(ledger.numbers()).size} of 20 handled`,
            () => new Set(ledger.numbers()).size === 20
          )
          // The connection for everything around events comes back when it is needed, and its channel for looks with the next one.
          yield* linksOf(node(), (links) => links <= whole && links >= whole - 2)
          assert.strictEqual((yield* bus.broker.depth("flap.handler")).consumers, 1)
          assert.isAbove((yield* subscription.stats).handled, 19)
          assert.deepStrictEqual(warnings, [])
        })
    )

    it.live(
      "PUB5, PUB6, PUB7: blocked: reported as blocked, consumers go on, closing is bounded, unblocking heals",
      () =>
        Effect.gen(function* () {
          const layer = AmqpBroker.layer({ servers: node().url, namespace: freshNamespace(), source: "blocked" })
          const bus = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
          const contract = keyed("alarm.happened")
          const { broker } = bus
          yield* broker.declare(subscriber("raw", ["x"]))
          const waiting = Array.from({ length: 50 }, () => post(broker, outgoing(event("x"))))
          yield* answered(waiting)
          yield* Effect.promise(() => node().ctl("set_vm_memory_high_watermark", "0.0001"))
          // RabbitMQ reports to a connection that it is blocked when the connection publishes.
          const tried = post(broker, outgoing(event("x")))
          yield* statusIs(broker, "Blocked")
          const overloaded = yield* Effect.flip(bus.bus.publish(contract, { n: 1, k: "k" }, { timeout: "300 millis" }))
          assert.strictEqual(overloaded.reason._tag, "Overloaded")
          const consumer = yield* consume(broker, "raw", 10, ({ ack }) => ack())
          yield* consumer.reaches(50)
          const probe = broker.probes.find(({ name }) => name === "publish connection")
          assert.strictEqual((yield* probe?.check ?? Effect.die("no probe")).status, "degraded")
          // The service stays ready: its consumers free the broker.
          assert.isTrue(yield* Health.over(bus.internals.probes).ready)
          // A connection may be blocked while it is prepared: then it comes up as blocked.
          const settings = yield* Effect.fromResult(
            settle({ servers: node().url, namespace: broker.namespace, source: "early", connectTimeout: "2 minutes" })
          )
          const prepare: Connection.Prepare = ({ model }) =>
            Effect.promise(async () => {
              const blocked = once(model, "blocked")
              const channel = await model.createChannel()
              channel.publish("", "nobody", Buffer.from("x"))
              await blocked
            })
          const early = yield* Connection.make(settings, "publish", prepare, yield* alone)
          yield* early.started
          const { _tag } = yield* SubscriptionRef.get(early.state)
          assert.strictEqual(_tag, "Blocked")
          const second = yield* open(node().url, patient)
          const open_ = post(second.broker, outgoing(event("x")))
          yield* statusIs(second.broker, "Blocked")
          yield* bounded(second.close)
          yield* answered([open_])
          // The right to its topic was being asked for.
          assert.deepStrictEqual(
            open_.outcomes.map(({ _tag }) => _tag),
            ["NotSent"]
          )
          assert.deepStrictEqual(tried.outcomes, [])
          yield* Effect.promise(() => node().ctl("set_vm_memory_high_watermark", "absolute", "1GB"))
          yield* statusIs(broker, "Up")
          yield* untilEffect(
            () => "Up",
            Effect.map(SubscriptionRef.get(early.state), (state) => state._tag === "Up")
          )
          yield* answered([tried])
          assert.deepStrictEqual(tried.outcomes, [{ _tag: "Confirmed", routed: true }])
          yield* bus.bus.publish(contract, { n: 2, k: "k" })
        })
    )

    it.live(
      "PUB18, O3: connections closed by an operator come back with his reason, and each send is answered once",
      () =>
        Effect.gen(function* () {
          const log = recordedLog()
          const { broker } = yield* open(node().url).pipe(Effect.provide(log.layer))
          yield* broker.declare(subscriber("a", ["x", "end"]))
          const consumer = yield* consume(broker, "a", 10)
          const posts: Array<Sent> = []
          yield* sendMany(broker, "x", posts, 200)
          const closed = Effect.promise(() => node().ctl("close_all_connections", "drill"))
          const sending = Effect.forever(Effect.andThen(sendMany(broker, "x", posts, 20), Effect.sleep(50)))
          yield* Effect.raceFirst(closed, sending)
          yield* until(
            () => "the loss",
            () => consumer.losses.length > 0
          )
          yield* consumer.close
          yield* answered(posts)
          assertStored(posts, yield* drained(broker, "a", "end"))
          yield* until(
            () => JSON.stringify(log.lines),
            () =>
              log
                .of("connected to RabbitMQ again")
                .some(({ fields }) => /CONNECTION_FORCED - drill/.test(`${fields["loss"]}`))
          )
        })
    )
  })
}
