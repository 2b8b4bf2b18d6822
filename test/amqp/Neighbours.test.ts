/** A bad publish harms its neighbours at most once, on a node that takes small messages and small frames; closing on a connection that hangs takes a short time. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import { type Outgoing, type SendOutcome, inFlight } from "../../src/bus/port/Broker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import * as Event from "../../src/event/Event.ts"
import { fresh } from "../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { awaitStartup, ownRabbit } from "../support/OwnRabbit.ts"
import { consume, subscriber } from "./setup/Consumers.ts"
import { open, proxyTo, rawChannel, type Service } from "./setup/OpenBroker.ts"
import {
  answered,
  assertOnce,
  copyTo,
  deadLetterOf,
  event,
  outgoing,
  post,
  send,
  sendUntilConfirmed
} from "./setup/Sends.ts"
import { until } from "./setup/Until.ts"

/** The channels that a connection may have. */
const channels = 12

const tagOf = (outcome: SendOutcome | undefined): string =>
  outcome?._tag === "NotSent" ? outcome.error.reason._tag : (outcome?._tag ?? "no answer")

/** Sends five at once on one channel; the third is `bad`. */
const among = Effect.fnUntraced(function* (broker: Service, bad: () => Outgoing) {
  const posts = Array.from({ length: 5 }, (_, n) => post(broker, n === 2 ? bad() : outgoing(event("x"))))
  yield* answered(posts)
  assertOnce(posts)
  return posts.map(({ outcomes: [outcome] }) => tagOf(outcome))
})
/** The broker closes the channel once; from then on the refusal is known. */
const learned = Effect.fnUntraced(function* (broker: Service, bad: () => Outgoing, reason: string, first = "Unknown") {
  assert.strictEqual(tagOf(yield* send(broker, bad())), first)
  yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
  for (let round = 0; round < 3; round++)
    assert.deepStrictEqual(yield* among(broker, bad), ["Confirmed", "Confirmed", reason, "Confirmed", "Confirmed"])
})

describeLive(
  "RabbitMQ with small messages and small frames",
  () => {
    const node = ownRabbit(
      {
        conf: { max_message_size: "65536", frame_max: "8192", channel_max: String(channels) }
      },
      awaitStartup
    )

    it.live("PUB12: a body over the broker's limit costs the channel once; then only it is refused", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { publishChannels: 1 })
        yield* learned(broker, () => outgoing(event("x"), { body: Buffer.alloc(65_537) }), "Refused", "Refused")
        assert.strictEqual(
          (yield* send(broker, outgoing(event("x"), { body: Buffer.alloc(65_536) })))._tag,
          "Confirmed"
        )
      })
    )

    it.live("PUB12, P2: a body that the broker does not take fails at once, also the first time", () =>
      Effect.gen(function* () {
        const layer = AmqpBroker.layer({ servers: node().url, namespace: freshNamespace(), source: "large" })
        const { broker, bus } = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
        const contract = Event.make(fresh(), { version: 1, data: Schema.String })
        const outcome = (size: number) =>
          bus.publish(contract, "k".repeat(size), { key: "k", timeout: "1 minute" }).pipe(
            Effect.match({
              onFailure: ({ reason }) => `${reason._tag}: ${reason.message}`,
              onSuccess: ({ routed }) => `routed: ${routed}`
            })
          )
        for (let round = 0; round < 2; round++) {
          const said = yield* Effect.forEach([10, 70_000, 10, 70_000, 10], outcome, { concurrency: "unbounded" })
          for (const at of [0, 2, 4]) assert.strictEqual(said[at], "routed: false")
          for (const at of [1, 3]) assert.match(said[at] ?? "", /^Invalid: .*the broker takes 65536.*max_message_size/)
        }
        const probe = broker.probes.find(({ name }) => name === "publish connection")
        assert.include((yield* probe?.check ?? Effect.die("no probe")).detail, "epoch 1")
      })
    )

    it.live(
      "O5: without a free channel a consumer is refused with the remedy, and closing another one makes room",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url, { canaryInterval: "1 hour" })
          yield* broker.declare(subscriber("a", ["x"]))
          // Channels that are opened for a moment are closed.
          for (let n = 0; n < 3 * channels; n++) yield* broker.depth("a")
          const consumers: Array<{ readonly close: Effect.Effect<void> }> = []
          for (let n = 0; n < channels; n++) consumers.push(yield* consume(broker, "a"))
          const refused = yield* Effect.flip(consume(broker, "a"))
          assert.match(refused.message, /no channel left.*channel_max/)
          assert.isTrue(refused.isRetryable)
          yield* consumers[0]?.close ?? Effect.void
          yield* consume(broker, "a")
        })
    )

    it.live("PUB22: headers that do not fit into a frame are refused, and the connection survives", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { publishChannels: 1 })
        for (const headers of [
          { h: "y".repeat(8200) },
          { h: "é".repeat(4100) },
          { ["k".repeat(200)]: "y".repeat(8000) }
        ])
          assert.deepStrictEqual(yield* among(broker, () => outgoing(event("x"), { headers })), [
            "Confirmed",
            "Confirmed",
            "Refused",
            "Confirmed",
            "Confirmed"
          ])
        // The fullest frame that is accepted.
        const text = "t".repeat(255)
        const properties = { messageId: text, type: text, appId: text, correlationId: text, contentType: text }
        const full = outgoing(event("x"), { headers: { h: "y".repeat(8192 - 1536 - 11) }, properties })
        assert.strictEqual((yield* send(broker, full))._tag, "Confirmed")
      })
    )

    it.live(
      "T2: an exchange or a topic that the user may not write to costs the channel once; then only it is refused",
      () =>
        Effect.gen(function* () {
          const { broker: owner } = yield* open(node().url)
          const { namespace } = owner
          const url = yield* Effect.promise(() =>
            node().addUser(`limited-${namespace}`, "pw", { configure: "^$", write: `^${namespace}\\.(events|dead)$` })
          )
          const { broker } = yield* open(url, { namespace, topology: "verify", publishChannels: 1 })
          // The first level is always there.
          yield* learned(broker, () => outgoing(copyTo("a", 1)), "Permission", "Permission")
          yield* Effect.promise(() =>
            node().ctl("set_topic_permissions", `limited-${namespace}`, `${namespace}.events`, "^x$", ".*")
          )
          const { broker: narrow } = yield* open(url, { namespace, topology: "verify", publishChannels: 1 })
          yield* learned(narrow, () => outgoing(event("forbidden.topic")), "Permission", "Permission")
        })
    )

    it.live(
      "PUB9, N31: with topology verify a missing exchange costs the channel once; then only it is refused as missing",
      () =>
        Effect.gen(function* () {
          const { broker: owner } = yield* open(node().url)
          const { namespace } = owner
          const { broker } = yield* open(node().url, { namespace, topology: "verify", publishChannels: 1 })
          const raw = yield* rawChannel(node().url)
          yield* Effect.promise(() => raw.deleteExchange(`${namespace}.dead`))
          assert.strictEqual((yield* send(broker, outgoing(deadLetterOf("a"))))._tag, "Unknown")
          yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
          assert.deepStrictEqual(yield* among(broker, () => outgoing(deadLetterOf("a"))), [
            "Confirmed",
            "Confirmed",
            "TopologyMissing",
            "Confirmed",
            "Confirmed"
          ])
        })
    )

    it.live("N7, N11, P6: a message behind a waiting one of its key does not overtake it; other keys do not wait", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { publishChannels: 1 })
        yield* broker.declare(subscriber("a", ["y"]))
        // Until its first message is confirmed, the others of a topic wait for it.
        yield* send(broker, outgoing(event("y")))
        const ids = ["A", "A", "B", "A", "C", "B", "D"]
        const posts = ids.map((messageId) =>
          post(broker, outgoing(event("y"), { key: "k", properties: { messageId } }))
        )
        const other = post(broker, outgoing(event("y"), { key: "other", properties: { messageId: "other" } }))
        yield* answered([...posts, other])
        assertOnce([...posts, other])
        const consumer = yield* consume(broker, "a")
        yield* consumer.reaches(ids.length + 2)
        const stored = consumer.ids().slice(1)
        assert.deepStrictEqual(
          stored.filter((id) => id !== "other"),
          ids
        )
        assert.isBelow(stored.indexOf("other"), 2)
      })
    )

    it.live("P11, PUB12: a lost channel comes back while the others publish more than the connection takes", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`, { publishChannels: 2 })
        // The two channels by the hash of a key.
        const [busy, lost] = ["a", "b"]
        proxy.throttle(16_000_000)
        const body = Buffer.alloc(32_000)
        let ended = false
        const fill = (): void => {
          if (!ended) broker.send(inFlight(outgoing(event("x"), { key: busy, body }), () => void setImmediate(fill)))
        }
        for (let n = 0; n < 1000; n++) fill()
        yield* Effect.sleep("1 second")
        yield* send(broker, outgoing(event("x"), { key: lost, body: Buffer.alloc(65_537) }))
        const back = sendUntilConfirmed(broker, () => outgoing(event("x"), { key: lost }))
        yield* Effect.timeoutOrElse(back, {
          duration: "2 minutes",
          orElse: () => Effect.die(new Error("the channel did not come back"))
        })
        ended = true
        proxy.resume()
      })
    )

    it.live(
      "S2: a reader of dead letters closes quickly on a connection that hangs, and waits for one that is down",
      () =>
        Effect.gen(function* () {
          const proxy = yield* proxyTo(node().port)
          const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`, { callTimeout: "3 minutes" })
          yield* broker.declare(subscriber("a", ["x"]))
          yield* sendUntilConfirmed(broker, () => outgoing(deadLetterOf("a")))
          const scope = yield* Scope.make()
          const reader = yield* broker.readDeadLetters({ _tag: "Subscriber", name: "a" }).pipe(Scope.provide(scope))
          assert.strictEqual(reader.count, 1)
          assert.isDefined(yield* reader.next)
          proxy.stall("both")
          yield* Effect.timeoutOrElse(Scope.close(scope, Exit.void), {
            duration: "1 minute",
            orElse: () => Effect.die(new Error("closing waited for the call deadline"))
          })
          yield* Effect.promise(() => proxy.refuse(true))
          proxy.reset()
          proxy.resume()
          const again = yield* Effect.forkChild(
            Effect.scoped(Effect.map(broker.readDeadLetters({ _tag: "Subscriber", name: "a" }), ({ count }) => count)),
            { startImmediately: true }
          )
          yield* until(
            () => "the loss",
            () => proxy.connections() === 0
          )
          yield* Effect.promise(() => proxy.refuse(false))
          assert.isAtLeast(yield* Fiber.join(again), 0)
        })
    )
  },
  ["rabbitNode"]
)
