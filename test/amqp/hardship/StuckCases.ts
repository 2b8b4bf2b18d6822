/** Queues that refuse messages because of an operator's limit: what is held, what is affected, what reports it, and that all of it arrives. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import { Reject } from "../../../src/bus/subscriber/HandlerError.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { lettersOf } from "../../../src/ports/conformance/setup/Waiting.ts"
import { keyed, numbered, numbers, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { open, type Service } from "../setup/OpenBroker.ts"
import { answered, copyTo, deadLetterOf, event, outgoing, post, send } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

const ladder = (broker: Service) =>
  Effect.suspend(
    () => broker.probes.find(({ name }) => name === "delay ladder")?.check ?? Effect.die(new Error("no probe"))
  )
/** Waits until the probe reports this; fails with its last report. */
const ladderIs = (broker: Service, status: "up" | "degraded", detail: RegExp) => {
  let last = ""
  return untilEffect(
    () => `${status} ${detail} instead of ${last}`,
    Effect.map(ladder(broker), (said) => {
      last = `${said.status}: ${said.detail}`
      return said.status === status && detail.test(said.detail)
    }),
    30
  )
}
const limit = (node: RabbitNode, queue: string, most: number) =>
  Effect.promise(() =>
    node.ctl(
      "set_policy",
      "--apply-to",
      "queues",
      queue,
      `^${queue}$`,
      `{"max-length":${most},"overflow":"reject-publish"}`
    )
  )
/** Sends until a message is refused: a quorum queue takes a few more than its limit. */
const fill = (broker: Service, to: () => ReturnType<typeof outgoing>) => {
  let stored = 0
  return untilEffect(
    () => "it is full",
    Effect.map(send(broker, to()), ({ _tag }) => {
      if (_tag === "Confirmed") stored++
      return _tag === "Rejected"
    })
  ).pipe(Effect.andThen(Effect.sync(() => stored)))
}
const copies = (broker: Service, name: string, count: number) =>
  Effect.gen(function* () {
    const posts = Array.from({ length: count }, () => post(broker, outgoing(copyTo(name, 1))))
    yield* answered(posts)
    for (const { outcomes } of posts) assert.deepStrictEqual(outcomes, [{ _tag: "Confirmed", routed: true }])
    return posts.map(({ id }) => id)
  })

export const stuckCases = (node: () => RabbitNode): void => {
  describe.concurrent("Stuck", () => {
    it.live(
      "N5, PUB10, P5, P3: a full queue of one subscriber: a few stuck retries block no other subscriber, the canary reports many of them, and all arrive",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url, { canaryInterval: "3 seconds" })
          const full = `${broker.namespace}.sub.full`
          yield* broker.declare(subscriber("full", ["x.full"]))
          yield* broker.declare(subscriber("free", ["x.free"]))
          const free = yield* consume(broker, "free", 250, ({ ack }) => ack())
          yield* limit(node(), full, 1)
          const first = yield* fill(broker, () => outgoing(event("x.full")))
          const stuck = [...(yield* copies(broker, "full", 10))]
          const few = yield* copies(broker, "free", 5)
          yield* free.reaches(5)
          assert.sameMembers([...free.ids()], [...few])
          yield* ladderIs(broker, "up", /came \d+\.\d+ s late/)
          // More than RabbitMQ dead-letters at once.
          stuck.push(...(yield* copies(broker, "full", 40)))
          // Due after them.
          yield* ladderIs(broker, "degraded", /away since .*list_policies/)
          const held = yield* copies(broker, "free", 5)
          yield* ladderIs(broker, "degraded", /away since/)
          // Raised, not removed: RabbitMQ 3.10 does not notify refused publishers when a limit is removed.
          yield* limit(node(), full, 1_000_000)
          const consumer = yield* consume(broker, "full", 250, ({ ack }) => ack())
          yield* consumer.reaches(first + stuck.length)
          yield* free.reaches(10)
          assert.deepStrictEqual(
            stuck.filter((id) => !consumer.ids().includes(id)),
            []
          )
          assert.deepStrictEqual(
            held.filter((id) => !free.ids().includes(id)),
            []
          )
          yield* ladderIs(broker, "up", /came/)
          assert.strictEqual(yield* broker.deadLetterDepth({ _tag: "Undeliverable" }), 0)
        })
    )

    it.live(
      "P6, PUB10: publishAll of one key into a queue that is full at times: what is stored is in the order given",
      () =>
        Effect.gen(function* () {
          const layer = AmqpBroker.layer({ servers: node().url, namespace: freshNamespace(), source: "order" })
          const { broker, bus } = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
          const Changed = keyed()
          yield* broker.declare(subscriber("narrow", [Changed.name]))
          yield* limit(node(), `${broker.namespace}.sub.narrow`, 10)
          const total = 2_000
          const outcomes: Array<string> = []
          const publishFrom = (from: number): Effect.Effect<void> =>
            Effect.gen(function* () {
              const items = upTo(total - from).map((n) => ({ n: from + n, k: "k" }))
              const error = yield* Effect.match(bus.publishAll(Changed, items, { timeout: "5 minutes" }), {
                onFailure: (failed) => failed,
                onSuccess: () => undefined
              })
              for (const failure of error?.failures ?? []) outcomes[from + failure.index] = failure.error.reason._tag
              if (error !== undefined && error.next > 0) yield* publishFrom(from + error.next)
            })
          const published = yield* Effect.forkChild(publishFrom(0), { startImmediately: true })
          yield* untilEffect(
            () => "an event is rejected",
            Effect.sync(() => outcomes.includes("Rejected"))
          )
          const consumer = yield* consume(broker, "narrow", 5, ({ ack }) => void setTimeout(ack, 1))
          yield* Fiber.join(published)
          const failed = outcomes.filter((outcome) => outcome !== undefined).length
          assert.deepStrictEqual([...new Set(outcomes.filter((outcome) => outcome !== undefined))], ["Rejected"])
          yield* consumer.reaches(total - failed)
          const arrived = consumer.deliveries.map(({ body }) => {
            // The bus wrote it.
            const { data } = JSON.parse(body.toString()) as { readonly data: typeof Changed.Type }
            return data.n
          })
          assert.deepStrictEqual(
            arrived,
            arrived.toSorted((a, b) => a - b)
          )
          for (const n of upTo(total)) assert.strictEqual(arrived.includes(n), outcomes[n] === undefined, `${n}`)
        })
    )

    it.live(
      "T6, R1, P3: with a full dead-letter queue the originals stay unacknowledged; no dead letter is lost when there is room",
      () =>
        Effect.gen(function* () {
          const layer = AmqpBroker.layer({ servers: node().url, namespace: freshNamespace(), source: "full" })
          const process = yield* start(processOver(Layer.merge(layer, MemoryCache.layer)))
          const { broker, bus, subscribe } = process
          const Happened = numbered()
          const name = "rejects.all"
          const subscription = yield* subscribe(name, {
            events: [Happened],
            handler: () => Effect.fail(new Reject({ reason: "poison" }))
          })
          const dead = `${broker.namespace}.dead.${name}`
          yield* limit(node(), dead, 1)
          const before = yield* fill(broker, () => outgoing(deadLetterOf(name)))
          yield* bus.publishAll(Happened, numbers(6))
          let held = 0
          yield* untilEffect(
            () => `${held} of 6 held`,
            Effect.map(subscription.stats, (stats) => (held = stats.held) === 6)
          )
          assert.strictEqual(yield* broker.deadLetterDepth({ _tag: "Subscriber", name }), before)
          yield* limit(node(), dead, 1_000_000)
          yield* lettersOf(process, name, before + 6)
          yield* untilEffect(
            () => "nothing is held",
            Effect.map(subscription.stats, (stats) => stats.held === 0)
          )
        })
    )

    it.live("N30, T5: depth counts ready messages, not held or stuck ones: the canary reports those", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { canaryInterval: "1 hour" })
        yield* broker.declare(subscriber("a", ["x"]))
        const posts = Array.from({ length: 10 }, () => post(broker, outgoing(event("x"))))
        yield* answered(posts)
        const consumer = yield* consume(broker, "a", 4)
        yield* consumer.reaches(4)
        assert.deepStrictEqual(yield* broker.depth("a"), { ready: 6, consumers: 1 })
        assert.deepStrictEqual(yield* ladder(broker), { status: "up", detail: "not tried yet" })
      })
    )

    it.live("N5: without consumers the canary costs nothing, and with consumers it leaves nothing behind", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const publisher = yield* open(node().url, { namespace, canaryInterval: "3 seconds" })
        assert.deepStrictEqual(yield* ladder(publisher.broker), { status: "up", detail: "not used" })
        const { broker, close } = yield* open(node().url, { namespace, canaryInterval: "3 seconds" })
        yield* broker.declare(subscriber("a", ["x"]))
        const queues = Effect.promise(() => node().ctl("list_queues", "--no-table-headers", "name"))
        const own = Effect.map(
          queues,
          (names) => names.split("\n").filter((name) => name.startsWith(`${namespace}.tmp.`)).length
        )
        yield* untilEffect(
          () => "its queue",
          Effect.map(own, (count) => count === 1)
        )
        // A canary is on the ladder now, or will be in a moment: its queue is gone when it arrives.
        yield* close
        yield* untilEffect(
          () => "its queue is gone",
          Effect.map(own, (count) => count === 0)
        )
        const marker = outgoing(copyTo("a", 2))
        yield* send(publisher.broker, marker)
        const consumer = yield* consume(publisher.broker, "a")
        yield* consumer.reaches(1)
        assert.strictEqual(yield* publisher.broker.deadLetterDepth({ _tag: "Undeliverable" }), 0)
        yield* ladderIs(publisher.broker, "up", /came/)
      })
    )

    it.live("N5: the ladder is degraded while a level is missing, and repairs itself", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url, { canaryInterval: "3 seconds" })
        yield* broker.declare(subscriber("a", ["x"]))
        yield* ladderIs(broker, "up", /came/)
        yield* Effect.promise(() => node().ctl("delete_queue", `${broker.namespace}.delay.00`))
        const figures = yield* Metric.snapshot
        assert.isTrue(figures.some(({ id }) => id === "eventbus.delay.lateness"))
        yield* ladderIs(broker, "degraded", /delay\.00 is missing/)
        yield* ladderIs(broker, "up", /came/)
      })
    )
  })
}
