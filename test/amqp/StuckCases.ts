/** Queues that refuse, by an operator's limit: what is held, who suffers, who tells, and that all of it comes home. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import { Reject } from "../../src/bus/BusError.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { lettersOf, numbered, numbers, processOver, start } from "../suites/Workbench.ts"
import { freshNamespace } from "../support/live.ts"
import type { RabbitNode } from "../support/RabbitNode.ts"
import {
  answered,
  consume,
  copyTo,
  deadLetterOf,
  event,
  open,
  outgoing,
  post,
  send,
  type Service,
  subscriber,
  untilEffect
} from "./Stage.ts"

const ladder = (broker: Service) =>
  Effect.suspend(
    () => broker.probes.find(({ name }) => name === "delay ladder")?.check ?? Effect.die(new Error("no probe"))
  )
/** Until the probe says so; what it said last is told when it does not. */
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
/** Sends until it is refused: a quorum queue takes a few more than it should. */
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
      "N5, PUB10, P5, P3: a full queue of one subscriber: a few stuck retries hold up nobody, many are told by the canary, and all come home",
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
          // Beyond what a dead-lettering of RabbitMQ has under way at once.
          stuck.push(...(yield* copies(broker, "full", 40)))
          // Behind them in time.
          yield* ladderIs(broker, "degraded", /away since .*list_policies/)
          const held = yield* copies(broker, "free", 5)
          yield* ladderIs(broker, "degraded", /away since/)
          // Raised: RabbitMQ 3.10 does not tell who was refused when a limit is taken away.
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
        }),
      90_000
    )

    it.live(
      "T6, R1, P3: a full dead-letter queue holds its letters with their originals; none is lost when there is room",
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
        }),
      60_000
    )

    it.live("N30, T5: what waits ready is counted, what is held or stuck is not: the canary is who tells of that", () =>
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

    it.live(
      "N5: the canary costs nothing where nobody consumes, and leaves nothing behind where somebody does",
      () =>
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
          // One is on the ladder now, or will be in a moment: its home is gone when it comes.
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
        }),
      60_000
    )

    it.live(
      "N5: without its level the ladder is degraded, and mends itself",
      () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url, { canaryInterval: "3 seconds" })
          yield* broker.declare(subscriber("a", ["x"]))
          yield* ladderIs(broker, "up", /came/)
          yield* Effect.promise(() => node().ctl("delete_queue", `${broker.namespace}.delay.00`))
          const figures = yield* Metric.snapshot
          assert.isTrue(figures.some(({ id }) => id === "eventbus.delay.lateness"))
          yield* ladderIs(broker, "degraded", /delay\.00 is missing/)
          yield* ladderIs(broker, "up", /came/)
        }),
      60_000
    )
  })
}
