/** Requests whose connections are lost, and requests while a service drains. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Metric, Schema } from "effect"
import { Event, EventBus, Subscriber } from "../../../src/index.ts"
import { until, untilEffect } from "../../../src/ports/conformance/setup/Waiting.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { startProxy } from "../../support/Proxy.ts"
import { type RabbitNode, startRabbit } from "../../support/RabbitNode.ts"
import { Ping } from "./contracts.ts"

/** Answers of this process that reached nobody. */
const unrouted = Effect.map(Metric.snapshot, (all) =>
  all
    .filter(
      ({ attributes, id }) =>
        id === "eventbus.publish.outcomes" &&
        attributes?.["eventbus.event"] === "bus.reply" &&
        attributes["eventbus.outcome"] === "unrouted"
    )
    .reduce((sum, { state }) => sum + ("count" in state ? Number(state.count) : 0), 0)
)

const node = Effect.acquireRelease(
  Effect.promise(() => startRabbit()),
  (node) => Effect.promise(() => node.stop())
)

describeLive(
  "a request on RabbitMQ",
  () => {
    /** An asker and a replier that are processes of their own. Each handler waits for `free`. */
    const stage = Effect.gen(function* () {
      const rabbit = yield* node
      const namespace = freshNamespace()
      const book: Array<number> = []
      const free = yield* Deferred.make<void>()
      const bus = EventBus.layerAmqp({ url: rabbit.url, namespace })
      const Slow = Subscriber.reply("slow", {
        to: Ping,
        handler: ({ data: { n } }) =>
          Effect.suspend(() => {
            book.push(n)
            return Effect.as(Deferred.await(free), n)
          })
      })
      yield* Layer.build(Layer.provide(Slow, Layer.fresh(bus)))
      const askers = yield* Effect.acquireRelease(
        Effect.promise(() => startProxy(rabbit.port)),
        (proxy) => Effect.promise(() => proxy.close())
      )
      const through = rabbit.url.replace(`:${rabbit.port}`, `:${askers.port}`)
      const asker = yield* Layer.build(EventBus.layerAmqp({ url: through, namespace }))
      const ask = (n: number) =>
        Effect.provide(
          Effect.flatMap(EventBus, ({ request }) => request(Ping, { n }, { deadline: "5 minutes" })),
          asker
        )
      return { rabbit, askers, book, free, ask }
    })
    const answeredAfter = (outage: (rabbit: RabbitNode) => Promise<unknown>) =>
      Effect.gen(function* () {
        const { ask, book, free, rabbit } = yield* stage
        const asked = yield* Effect.forkChild(ask(1))
        yield* until(
          () => book.join(),
          () => book.length === 1
        )
        yield* Effect.promise(() => rabbit.flush())
        yield* Effect.promise(() => outage(rabbit))
        yield* Deferred.succeed(free, undefined)
        assert.strictEqual(yield* Fiber.join(asked), 1)
        assert.strictEqual(yield* ask(2), 2)
      })

    it.live("P11: has its answer although it reached nobody at first", () =>
      Effect.gen(function* () {
        const { ask, askers, book, free, rabbit } = yield* stage
        const asked = yield* Effect.forkChild(ask(1))
        yield* until(
          () => book.join(),
          () => book.length === 1
        )
        yield* Effect.promise(() => askers.refuse(true))
        askers.reset()
        const queues = Effect.promise(() => rabbit.ctl("list_queues", "name"))
        yield* untilEffect(
          () => "the queue for answers is still there",
          Effect.map(queues, (names) => !names.includes(".tmp."))
        )
        const before = yield* unrouted
        yield* Deferred.succeed(free, undefined)
        yield* untilEffect(
          () => "the answer was not sent",
          Effect.map(unrouted, (now) => now > before)
        )
        yield* Effect.promise(() => askers.refuse(false))
        assert.strictEqual(yield* Fiber.join(asked), 1)
      })
    )

    it.live("P11: has its answer although every connection was closed meanwhile", () =>
      answeredAfter((rabbit) => rabbit.ctl("close_all_connections", "a test"))
    )

    it.live("P11: has its answer although the broker was killed and started meanwhile", () =>
      answeredAfter((rabbit) => rabbit.restart())
    )

    it.live("P12: of a handler has its answer while its service drains", () =>
      Effect.gen(function* () {
        const { ask: _ask, book, free, rabbit } = yield* stage
        const namespace = freshNamespace()
        const Started = Event.make("course.started", { version: 1, data: Schema.Struct({}) })
        const begun = yield* Deferred.make<void>()
        const answers: Array<unknown> = []
        const Asking = Subscriber.layer("asking", {
          events: [Started],
          handler: () =>
            Effect.gen(function* () {
              const { request } = yield* EventBus
              yield* Deferred.succeed(begun, undefined)
              answers.push(yield* Effect.result(request(Ping, { n: 3 }, { deadline: "20 seconds" })))
            })
        })
        const Replying = Subscriber.reply("replying", {
          to: Ping,
          handler: ({ data: { n } }) => Effect.as(Deferred.await(free), n)
        })
        const bus = EventBus.layerAmqp({ url: rabbit.url, namespace })
        yield* Layer.build(Layer.provide(Replying, Layer.fresh(bus)))
        yield* Effect.gen(function* () {
          const { drain, publish } = yield* EventBus
          yield* publish(Started, {})
          yield* Deferred.await(begun)
          const drained = yield* Effect.forkChild(drain, { startImmediately: true })
          yield* Deferred.succeed(free, undefined)
          assert.isTrue(yield* Fiber.join(drained))
        }).pipe(Effect.provide(Layer.provideMerge(Asking, Layer.fresh(bus))))
        assert.lengthOf(answers, 1)
        assert.deepInclude(answers[0], { _tag: "Success", success: 3 })
        assert.deepStrictEqual(book, [])
      })
    )
  },
  ["rabbitNode"]
)
