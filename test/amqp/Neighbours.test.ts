/** One bad publish harms no neighbour twice, on a node that takes small messages and small frames; and what ends on a dead line ends soon. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import type { Outgoing, SendOutcome } from "../../src/bus/Broker.ts"
import { describeLive } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import {
  answered,
  assertOnce,
  consume,
  copyTo,
  deadLetterOf,
  event,
  open,
  outgoing,
  post,
  proxyTo,
  rawChannel,
  send,
  sendUntilConfirmed,
  type Service,
  subscriber,
  until
} from "./Stage.ts"

const tagOf = (outcome: SendOutcome | undefined): string =>
  outcome?._tag === "NotSent" ? outcome.error.reason._tag : (outcome?._tag ?? "no answer")

/** Five at once on one channel; the third is `bad`. */
const among = Effect.fnUntraced(function* (broker: Service, bad: () => Outgoing) {
  const posts = Array.from({ length: 5 }, (_, n) => post(broker, n === 2 ? bad() : outgoing(event("x"))))
  yield* answered(posts)
  assertOnce(posts)
  return posts.map(({ outcomes: [outcome] }) => tagOf(outcome))
})
/** The broker says it once by closing the channel; from then on it is known. */
const learned = Effect.fnUntraced(function* (broker: Service, bad: () => Outgoing, reason: string) {
  const first = yield* send(broker, bad())
  assert.strictEqual(first._tag, "Lost")
  yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
  for (let round = 0; round < 3; round++)
    assert.deepStrictEqual(yield* among(broker, bad), ["Confirmed", "Confirmed", reason, "Confirmed", "Confirmed"])
})

describeLive(
  "RabbitMQ with small messages and small frames",
  () => {
    let started: RabbitNode | undefined
    beforeAll(async () => {
      started = await startRabbit({ conf: { max_message_size: "65536", frame_max: "8192" } })
      await started.ctl("await_startup")
    })
    afterAll(() => started?.stop())
    const node = (): RabbitNode => {
      if (started === undefined) throw new Error("the node did not start")
      return started
    }

    it.live("PUB12: a body over the broker's limit costs the channel once, then it alone is refused", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { publishChannels: 1 })
        yield* learned(broker, () => outgoing(event("x"), { body: Buffer.alloc(65_537) }), "Refused")
        assert.strictEqual(
          (yield* send(broker, outgoing(event("x"), { body: Buffer.alloc(65_536) })))._tag,
          "Confirmed"
        )
      })
    )

    it.live("PUB22: headers that do not fit into a frame are refused, and the connection lives", () =>
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
        // The fullest frame that is let through.
        const text = "t".repeat(255)
        const properties = { messageId: text, type: text, appId: text, correlationId: text, contentType: text }
        const full = outgoing(event("x"), { headers: { h: "y".repeat(8192 - 1536 - 11) }, properties })
        assert.strictEqual((yield* send(broker, full))._tag, "Confirmed")
      })
    )

    it.live(
      "an exchange or a topic that its user may not write to costs the channel once, then it alone is refused",
      () =>
        Effect.gen(function* () {
          const { broker: owner } = yield* open(node().url)
          const { namespace } = owner
          const url = yield* Effect.promise(() =>
            node().addUser(`limited-${namespace}`, "pw", { configure: "^$", write: `^${namespace}\\.(events|dead)$` })
          )
          const { broker } = yield* open(url, { namespace, topology: "verify", publishChannels: 1 })
          yield* learned(broker, () => outgoing(copyTo("a", 4)), "Permission")
          yield* Effect.promise(() =>
            node().ctl("set_topic_permissions", `limited-${namespace}`, `${namespace}.events`, "^x$", ".*")
          )
          const { broker: narrow } = yield* open(url, { namespace, topology: "verify", publishChannels: 1 })
          yield* learned(narrow, () => outgoing(event("forbidden.topic")), "Permission")
        })
    )

    it.live("with topology verify a missing exchange costs the channel once, then it alone is told as missing", () =>
      Effect.gen(function* () {
        const { broker: owner } = yield* open(node().url)
        const { namespace } = owner
        const { broker } = yield* open(node().url, { namespace, topology: "verify", publishChannels: 1 })
        const raw = yield* rawChannel(node().url)
        yield* Effect.promise(() => raw.deleteExchange(`${namespace}.dead`))
        assert.strictEqual((yield* send(broker, outgoing(deadLetterOf("a"))))._tag, "Lost")
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

    it.live("P6: what follows a waiting twin of its key does not overtake it; other keys do not wait", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { publishChannels: 1 })
        yield* broker.declare(subscriber("a", ["x"]))
        const ids = ["A", "A", "B", "A", "C", "B", "D"]
        const posts = ids.map((messageId) =>
          post(broker, outgoing(event("x"), { key: "k", properties: { messageId } }))
        )
        const other = post(broker, outgoing(event("x"), { key: "other", properties: { messageId: "other" } }))
        yield* answered([...posts, other])
        assertOnce([...posts, other])
        const consumer = yield* consume(broker, "a")
        yield* consumer.reaches(ids.length + 1)
        const stored = consumer.ids()
        assert.deepStrictEqual(
          stored.filter((id) => id !== "other"),
          ids
        )
        assert.isBelow(stored.indexOf("other"), 2)
      })
    )

    it.live("S2: a reader of dead letters closes soon on a line that hangs, and waits for one that is down", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`, { callTimeout: "8 seconds" })
        yield* broker.declare(subscriber("a", ["x"]))
        yield* sendUntilConfirmed(broker, () => outgoing(deadLetterOf("a")))
        const scope = yield* Scope.make()
        const reader = yield* broker.readDeadLetters({ _tag: "Subscriber", name: "a" }).pipe(Scope.provide(scope))
        assert.strictEqual(reader.count, 1)
        assert.isDefined(yield* reader.next)
        proxy.stall("both")
        yield* Effect.timeoutOrElse(Scope.close(scope, Exit.void), {
          duration: "5 seconds",
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
