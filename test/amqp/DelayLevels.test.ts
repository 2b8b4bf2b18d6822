/**
 * Levels of the delay ladder that are declared when a delay first needs them: how many queues a namespace has, what
 * becomes of messages while a level is missing, and beside processes that declare all of them or none.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Channel } from "amqplib"
import { Clock, Effect, Layer, Schedule } from "effect"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import type { Broker, SendOutcome } from "../../src/bus/port/Broker.ts"
import { maxDelaySeconds } from "../../src/bus/port/Broker.ts"
import * as Ladder from "../../src/amqp/topology/DelayLadder.ts"
import * as Rights from "../../src/amqp/topology/Rights.ts"
import * as Topology from "../../src/amqp/topology/Topology.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { makeLedger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { keyed } from "../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { ownRabbit } from "../support/OwnRabbit.ts"
import { consume, subscriber } from "./setup/Consumers.ts"
import { open, rawChannel, secret, statusIs } from "./setup/OpenBroker.ts"
import { copyTo, outgoing, send, sendUntilConfirmed } from "./setup/Sends.ts"
import { untilEffect } from "./setup/Until.ts"

const routed: SendOutcome = { _tag: "Confirmed", routed: true }
const everyLevel = Ladder.levelsOf(maxDelaySeconds)

/** Declares what versions declared that had no levels on demand. */
const declareWhole = (channel: Channel, namespace: string) =>
  Effect.promise(async () => {
    for (const { assert } of [...Topology.shared(namespace), ...Topology.upperLevels(namespace)]) await assert(channel)
  })

const ladderOf = (broker: Broker["Service"]) =>
  Effect.suspend(() => {
    const probe = broker.probes.find(({ name }) => name === "delay ladder")
    return probe === undefined ? Effect.die(new Error("no probe of the ladder")) : probe.check
  })

describeLive(
  "levels of the ladder",
  () => {
    // A message that met no level is tried again after this time, and not after three minutes.
    const own = ownRabbit({ settings: { dead_letter_worker_publisher_confirm_timeout: 1000 } })

    const queuesOf = (namespace: string) =>
      Effect.map(
        Effect.promise(() => own().ctl("list_queues", "name")),
        (text) => text.split("\n").filter((name) => name.startsWith(`${namespace}.`))
      )
    const levelsOf = (namespace: string) =>
      Effect.map(queuesOf(namespace), (names) =>
        names.flatMap((name) => /\.delay\.(\d\d)$/.exec(name)?.[1] ?? []).toSorted()
      )
    const process = (servers: string, namespace: string) =>
      start(
        processOver(
          Layer.merge(
            AmqpBroker.layer({ servers, namespace, source: "levels", callTimeout: "1 minute" }),
            MemoryCache.layer
          )
        )
      )
    const removeLevel = (namespace: string, level: number) =>
      Effect.promise(() => own().ctl("delete_queue", Ladder.levelName(namespace, level)))

    describe.concurrent("Levels", () => {
      it.live("P7: a fresh namespace with 12 subscribers has 27 queues of 46; a delay declares its own levels", () =>
        Effect.gen(function* () {
          const { broker } = yield* open(own().url)
          const { namespace } = broker
          const names = Array.from({ length: 12 }, (_, n) => `s${n}`)
          yield* Effect.forEach(names, (name) => broker.declare(subscriber(name, ["x"])), { discard: true })
          const arrivals = yield* consume(broker, "s1")
          yield* untilEffect(
            () => "no queue of canaries",
            Effect.map(queuesOf(namespace), (queues) => queues.includes(`${namespace}.canary`))
          )
          assert.strictEqual((yield* queuesOf(namespace)).length, 2 * names.length + 3)
          const whole = [...Topology.shared(namespace), ...Topology.upperLevels(namespace)]
          const ofOldVersions = whole.filter(({ entity }) => entity.startsWith("queue ")).length + 1 + 2 * names.length
          assert.strictEqual(ofOldVersions, 46)

          const sent = outgoing(copyTo("s1", 5))
          const since = Date.now()
          assert.deepStrictEqual(yield* send(broker, sent), routed)
          assert.deepStrictEqual(yield* levelsOf(namespace), ["00", "02"])
          yield* arrivals.reaches(1)
          assert.isAtLeast(Date.now() - since, 5000 - 5)
          const event = outgoing({ _tag: "DelayedEvent", name: "x", seconds: 2 })
          assert.deepStrictEqual(yield* send(broker, event), routed)
          assert.deepStrictEqual(yield* levelsOf(namespace), ["00", "01", "02"])
          yield* arrivals.reaches(2)
          assert.deepStrictEqual(arrivals.ids(), [sent.properties.messageId, event.properties.messageId])
        })
      )

      it.live("P7, P3: many at once, to levels that nobody declared yet, in the order of their keys", () =>
        Effect.gen(function* () {
          const { broker } = yield* open(own().url)
          yield* broker.declare(subscriber("a", ["x"]))
          const arrivals = yield* consume(broker, "a")
          const sent = Array.from({ length: 60 }, (_, n) =>
            outgoing(copyTo("a", (n % 6) + 1), { key: `k${n % 6}`, properties: { messageId: `m${n}` } })
          )
          const outcomes = yield* Effect.forEach(sent, (message) => send(broker, message), { concurrency: "unbounded" })
          assert.deepStrictEqual(
            outcomes,
            sent.map(() => routed)
          )
          yield* arrivals.reaches(60)
          for (let k = 0; k < 6; k++) {
            const wanted = sent.filter(({ key }) => key === `k${k}`).map(({ properties }) => properties.messageId)
            assert.deepStrictEqual(
              arrivals.ids().filter((id) => wanted.includes(id)),
              wanted
            )
          }
        })
      )

      it.live(
        "T7, P1: a level that an operator deletes is declared again by the next message that needs it first",
        () =>
          Effect.gen(function* () {
            const { broker } = yield* open(own().url)
            yield* broker.declare(subscriber("a", ["x"]))
            const arrivals = yield* consume(broker, "a")
            assert.deepStrictEqual(yield* send(broker, outgoing(copyTo("a", 2))), routed)
            yield* arrivals.reaches(1)
            yield* removeLevel(broker.namespace, 1)
            yield* sendUntilConfirmed(broker, () => outgoing({ _tag: "DelayedEvent", name: "x", seconds: 2 }))
            yield* arrivals.reaches(2)
            assert.deepStrictEqual(yield* levelsOf(broker.namespace), ["00", "01"])
          })
      )

      it.live(
        "T7, P3: one deleted behind the first level of a message holds it, until a later message looks again",
        () =>
          Effect.gen(function* () {
            const real = yield* Clock.Clock
            let ahead = 0
            const clock: typeof real = Object.assign(Object.create(real), {
              monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe() + BigInt(ahead) * 1_000_000n
            })
            const { broker } = yield* open(own().url).pipe(Effect.provideService(Clock.Clock, clock))
            yield* broker.declare(subscriber("a", ["x"]))
            const arrivals = yield* consume(broker, "a")
            assert.deepStrictEqual(yield* send(broker, outgoing(copyTo("a", 6))), routed)
            yield* arrivals.reaches(1)
            yield* removeLevel(broker.namespace, 1)
            // It is believed for a minute that the level is there: this one waits in the level above.
            assert.deepStrictEqual(yield* send(broker, outgoing(copyTo("a", 6))), routed)
            assert.deepStrictEqual(yield* levelsOf(broker.namespace), ["00", "02"])
            ahead += 60_000
            assert.deepStrictEqual(yield* send(broker, outgoing(copyTo("a", 6))), routed)
            assert.deepStrictEqual(yield* levelsOf(broker.namespace), ["00", "01", "02"])
            yield* arrivals.reaches(3)
            assert.strictEqual(yield* broker.deadLetterDepth({ _tag: "Undeliverable" }), 0)
          })
      )

      it.live("P3: a whole ladder of older versions goes on, also beside a process that knows no other", () =>
        Effect.gen(function* () {
          const namespace = freshNamespace()
          const raw = yield* rawChannel(own().url)
          yield* declareWhole(raw, namespace)
          const older = yield* open(own().url, { namespace })
          yield* older.broker.declare(subscriber("a", ["x"]))
          const post = (seconds: number, id: string) => {
            const { exchange, routingKey } = Ladder.entry(namespace, seconds, Ladder.toSubscriber("a"))
            raw.publish(exchange, routingKey, Buffer.from("{}"), { messageId: id, mandatory: true })
          }
          post(3, "parked before")
          yield* older.close
          const { broker } = yield* open(own().url, { namespace })
          yield* broker.declare(subscriber("a", ["x"]))
          const arrivals = yield* consume(broker, "a")
          assert.deepStrictEqual(
            yield* levelsOf(namespace),
            everyLevel.map((level) => String(level).padStart(2, "0"))
          )
          const sent = outgoing(copyTo("a", 3))
          assert.deepStrictEqual(yield* send(broker, sent), routed)
          post(2, "parked beside")
          // A process of an older version starts again: nothing differs for it.
          yield* declareWhole(raw, namespace)
          yield* arrivals.reaches(3)
          assert.sameMembers(arrivals.ids(), ["parked before", "parked beside", sent.properties.messageId])
        })
      )

      it.live(
        "P7, P3: who may declare no level retries over those that exist, and says so; a delayed event is refused",
        () =>
          Effect.gen(function* () {
            const namespace = freshNamespace()
            // Another program declared the namespace, and no delay was used yet.
            yield* open(own().url, { namespace })
            const user = `least-${namespace}`
            const { configure, read, write } = Rights.permissions(namespace, { subscribers: ["a"] })
            const url = yield* Effect.promise(() => own().addUser(user, secret, { configure, read, write }))
            const { broker, bus, subscribe } = yield* process(url, namespace)
            const contract = keyed()
            const ledger = makeLedger()
            yield* subscribe("a", {
              events: [contract],
              retry: Schedule.spaced("3 seconds"),
              handler: (event, info) =>
                Effect.andThen(ledger.handler(event, info), info.attempt === 1 ? Effect.fail("once") : Effect.void)
            })
            yield* untilEffect(
              () => "no canaries yet",
              Effect.map(queuesOf(namespace), (queues) => queues.includes(`${namespace}.canary`))
            )
            assert.strictEqual((yield* ladderOf(broker)).status, "up")
            const since = Date.now()
            yield* bus.publish(contract, { n: 1, k: "k" })
            yield* ledger.reaches(2)
            assert.isAtLeast(Date.now() - since, 3000 - 5)
            assert.deepStrictEqual(
              ledger.entries.map(({ info }) => info.attempt),
              [1, 2]
            )
            const health = yield* ladderOf(broker)
            assert.strictEqual(health.status, "degraded")
            assert.include(health.detail, `${namespace}.delay.01`)
            assert.include(health.detail, "eventbus topology apply --whole-ladder")
            const failed = yield* Effect.flip(
              bus.publish(contract, { n: 2, k: "k" }, { delay: "4 seconds", timeout: "2 seconds" })
            )
            assert.strictEqual(failed.reason._tag, "Unavailable")
            assert.include(failed.message, `${namespace}.delay.02`)
            assert.deepStrictEqual(yield* levelsOf(namespace), ["00"])
            // An operator declares them.
            yield* declareWhole(yield* rawChannel(own().url), namespace)
            yield* Effect.retry(
              bus.publish(contract, { n: 3, k: "k" }, { delay: "4 seconds", timeout: "10 seconds" }),
              Schedule.recurs(10)
            )
            yield* untilEffect(
              () => "still degraded",
              Effect.map(ladderOf(broker), ({ status }) => status === "up")
            )
          })
      )

      it.live("P16: a level with other arguments fails nothing but what needs it", () =>
        Effect.gen(function* () {
          const { broker } = yield* open(own().url)
          const raw = yield* rawChannel(own().url)
          const name = Ladder.levelName(broker.namespace, 2)
          yield* Effect.promise(() => raw.assertQueue(name, { arguments: { "x-queue-type": "quorum" } }))
          yield* broker.declare(subscriber("a", ["x"]))
          const arrivals = yield* consume(broker, "a")
          const refused = yield* send(broker, outgoing({ _tag: "DelayedEvent", name: "x", seconds: 5 }))
          assert.strictEqual(refused._tag, "NotSent")
          assert.strictEqual(broker.passOf?.(5), 3)
          const { detail, status } = yield* ladderOf(broker)
          assert.strictEqual(status, "degraded")
          assert.include(detail, name)
          assert.include(detail, "exists with x-")
          assert.deepStrictEqual(yield* send(broker, outgoing(copyTo("a", 2))), routed)
          yield* arrivals.reaches(1)
        })
      )
    })

    it.live("P3: what waits on levels that were declared on demand survives a restart, and the next ones do", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(own().url, { callTimeout: "1 minute" })
        yield* broker.declare(subscriber("a", ["x"]))
        const first = outgoing(copyTo("a", 6))
        assert.deepStrictEqual(yield* send(broker, first), routed)
        yield* Effect.promise(() => own().flush())
        yield* Effect.promise(() => own().restart())
        yield* statusIs(broker, "Up")
        const second = outgoing(copyTo("a", 6))
        yield* sendUntilConfirmed(broker, () => second)
        const arrivals = yield* Effect.retry(consume(broker, "a"), Schedule.spaced("100 millis"))
        yield* arrivals.reaches(2)
        assert.includeMembers(
          [...arrivals.ids()],
          [first, second].map(({ properties }) => properties.messageId)
        )
      })
    )
  },
  ["rabbitNode"]
)
