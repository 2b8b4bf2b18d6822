/** Things that an operator, a limit or a network takes away come back. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Random, Schedule } from "effect"
import { bytesOf } from "../../../src/event/Body.ts"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import type { DeadLetterSource, SendOutcome } from "../../../src/bus/port/Broker.ts"
import { keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { maxMessageSize } from "../setup/NodeSettings.ts"
import { quickReconnects, open, proxyTo, rawChannel, statusIs } from "../setup/OpenBroker.ts"
import { answered, event, outgoing, post, send } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

const routed: SendOutcome = { _tag: "Confirmed", routed: true }

export const healingCases = (node: () => RabbitNode): void => {
  const process = (servers: string, source: string) =>
    start(
      processOver(Layer.merge(AmqpBroker.layer({ servers, namespace: freshNamespace(), source }), MemoryCache.layer))
    )

  describe.concurrent("Healing", () => {
    it.live("PUB3, P2: heartbeats detect a half-open connection, and a publish ends at its own deadline", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        const layer = AmqpBroker.layer({
          servers: `amqp://guest:guest@127.0.0.1:${proxy.port}`,
          namespace: freshNamespace(),
          source: "half-open",
          heartbeat: "3 seconds"
        })
        const { broker, bus } = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
        const contract = keyed()
        const opened = proxy.connections()
        proxy.stall("both")
        const failed = yield* Effect.flip(bus.publish(contract, { n: 1, k: "k" }, { timeout: "300 millis" }))
        assert.strictEqual(failed.reason._tag, "Unknown")
        // Nothing was closed: the heartbeats detected it.
        assert.strictEqual(proxy.connections(), opened)
        yield* statusIs(broker, "Connecting")
        proxy.resume()
        yield* statusIs(broker, "Up")
        yield* bus.publish(contract, { n: 2, k: "k" })
      })
    )

    it.live(
      "PUB15, P13: a connection that takes nothing: publishes up to the in-flight limit wait, the rest are Overloaded",
      () =>
        Effect.gen(function* () {
          const proxy = yield* proxyTo(node().port)
          const { bus } = yield* process(`amqp://guest:guest@127.0.0.1:${proxy.port}`, "slow")
          const contract = keyed()
          proxy.stall("up")
          const reasons = yield* Effect.forEach(
            Array.from({ length: 1300 }, (_, n) => n),
            (n) =>
              bus
                .publish(contract, { n, k: "k".repeat(200) }, { timeout: "1 second" })
                .pipe(Effect.match({ onFailure: ({ reason }) => reason._tag, onSuccess: () => "Confirmed" as const })),
            { concurrency: "unbounded" }
          )
          const count = (tag: string): number => reasons.filter((reason) => reason === tag).length
          assert.deepStrictEqual([count("Unknown"), count("Overloaded")], [1000, 300])
          proxy.resume()
          yield* bus.publish(contract, { n: 0, k: "k" })
        })
    )

    it.live("T7, P3: a deleted level of the ladder is declared again, and its retries arrive", () =>
      Effect.gen(function* () {
        const { broker, bus, subscribe } = yield* process(node().url, "level")
        const contract = keyed()
        const ledger = makeLedger()
        yield* subscribe("level.subscriber", {
          events: [contract],
          retry: Schedule.spaced("1 second"),
          handler: (event, info) =>
            Effect.andThen(ledger.handler(event, info), info.attempt === 1 ? Effect.fail("once") : Effect.void)
        })
        yield* Effect.promise(() => node().ctl("delete_queue", `${broker.namespace}.delay.00`))
        for (let n = 0; n < 5; n++) yield* bus.publish(contract, { n, k: "k" })
        yield* ledger.reaches(10)
        const second = ledger.entries.filter(({ info }) => info.attempt === 2).map(({ event }) => event.data.n)
        assert.deepStrictEqual(second.toSorted(), [0, 1, 2, 3, 4])
      })
    )

    it.live("T7, P1: a delayed event whose level was deleted is stored when the level is there again", () =>
      Effect.gen(function* () {
        const { broker, bus, subscribe } = yield* process(node().url, "delayed")
        const contract = keyed()
        const ledger = makeLedger()
        yield* subscribe("delayed.subscriber", { events: [contract], handler: ledger.handler })
        yield* Effect.promise(() => node().ctl("delete_queue", `${broker.namespace}.delay.00`))
        const { routed: isRouted } = yield* bus.publish(contract, { n: 1, k: "k" }, { delay: "1 second" })
        assert.strictEqual(isRouted, "later")
        yield* ledger.reaches(1)
      })
    )

    it.live("PUB23: a binding that was removed by hand comes back when its subscriber is declared next", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const raw = yield* rawChannel(node().url)
        for (const name of ["a", "b"]) yield* broker.declare(subscriber(name, ["x"]))
        yield* Effect.promise(() => raw.unbindQueue(`${broker.namespace}.sub.b`, `${broker.namespace}.events`, "x"))
        // Another subscriber has it: nothing is reported.
        assert.deepStrictEqual(yield* send(broker, outgoing(event("x"))), routed)
        yield* broker.declare(subscriber("b", ["x"]))
        assert.deepStrictEqual(yield* send(broker, outgoing(event("x"))), routed)
        assert.strictEqual((yield* broker.depth("a")).ready, 2)
        assert.strictEqual((yield* broker.depth("b")).ready, 1)
      })
    )

    it.live("T10, N34: a subscriber that has gone leaves its queue, which collects events for the next one", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const gone = yield* open(node().url, { namespace })
        yield* gone.broker.declare(subscriber("a", ["x"]))
        yield* consume(gone.broker, "a")
        assert.strictEqual((yield* gone.broker.depth("a")).consumers, 1)
        yield* gone.close
        const { broker } = yield* open(node().url, { namespace })
        const posts = Array.from({ length: 5 }, () => post(broker, outgoing(event("x"))))
        yield* answered(posts)
        assert.deepStrictEqual(yield* broker.depth("a"), { ready: 5, consumers: 0 })
        const next = yield* consume(broker, "a")
        yield* next.reaches(5)
      })
    )

    it.live("C16: cancelling and consuming again at once, over and over: a new channel and a new tag each time", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { canaryInterval: "1 hour" })
        yield* broker.declare(subscriber("a", ["x"]))
        const posts = Array.from({ length: 100 }, () => post(broker, outgoing(event("x"))))
        yield* answered(posts)
        const settled = new Set<string>()
        for (let round = 0; round < 25; round++) {
          const consumer = yield* consume(broker, "a", 10)
          yield* consumer.reaches(1)
          yield* consumer.cancel
          for (const { ack, properties } of consumer.deliveries.slice(0, 4)) {
            settled.add(properties.messageId ?? "?")
            ack()
          }
          yield* Effect.forkScoped(consumer.close)
          assert.deepStrictEqual(consumer.losses, [])
        }
        const last = yield* consume(broker, "a", 100)
        yield* last.reaches(100 - settled.size)
        assert.deepStrictEqual(new Set([...settled, ...last.ids()]), new Set(posts.map(({ id }) => id)))
      })
    )

    it.live("M2, P9: a foreign body of 17 MiB is dead-lettered unchanged, and the next event is handled", () =>
      Effect.gen(function* () {
        yield* maxMessageSize(node(), 20 * 1024 * 1024)
        const bench = yield* process(node().url, "huge")
        const raw = yield* rawChannel(node().url)
        const contract = keyed()
        const ledger = makeLedger()
        const name = "huge.subscriber"
        yield* bench.subscribe(name, { events: [contract], handler: ledger.handler })
        const body = Buffer.alloc(17 * 1024 * 1024, "[")
        raw.publish(`${bench.broker.namespace}.events`, contract.name, body, { persistent: true })
        yield* bench.bus.publish(contract, { n: 1, k: "k" })
        yield* ledger.reaches(1)
        const source: DeadLetterSource = { _tag: "Subscriber", name }
        yield* untilEffect(
          () => "the dead letter",
          Effect.map(bench.broker.deadLetterDepth(source), (depth) => depth === 1)
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const letter = yield* (yield* bench.broker.readDeadLetters(source)).next
            assert.isTrue(letter !== undefined && bytesOf(letter.body).equals(body))
            letter?.ack()
          })
        )
      })
    )
  })

  describe("Healing, one after the other", () => {
    it.live("P11, PUB19: when one connection is back, the other one does not wait out its backoff", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`).pipe(
          Effect.provideService(Random.Random, quickReconnects)
        )
        const clock = yield* Clock.Clock
        // The first use opens the consuming connection; on this clock no wait ever ends.
        yield* broker.declare(subscriber("a", ["x"])).pipe(
          Effect.provideService(Clock.Clock, {
            currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
            currentTimeMillis: clock.currentTimeMillis,
            currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
            currentTimeNanos: clock.currentTimeNanos,
            monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
            monotonicTimeNanos: clock.monotonicTimeNanos,
            sleep: () => Effect.never
          })
        )
        const probe = broker.probes.find(({ name }) => name === "consume connection")
        const check = probe?.check ?? Effect.die(new Error("no probe"))
        assert.strictEqual((yield* check).status, "up")
        yield* Effect.promise(() => proxy.refuse(true))
        proxy.reset()
        yield* untilEffect(
          () => "the loss",
          Effect.map(check, ({ status }) => status === "down")
        )
        yield* Effect.promise(() => proxy.refuse(false))
        yield* statusIs(broker, "Up")
        yield* untilEffect(
          () => "it is back",
          Effect.map(check, ({ status }) => status === "up")
        )
      })
    )
  })
}
