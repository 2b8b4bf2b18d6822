/** Recurring events on RabbitMQ: one event for each tick, whoever publishes it, and with the rights of a service alone. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import * as Rights from "../../../src/amqp/topology/Rights.ts"
import { DeadLetters, Event, EventBus, Recurring, Subscriber } from "../../../src/index.ts"
import { until } from "../../../src/ports/conformance/setup/Waiting.ts"
import { addLeast } from "../../support/LeastRights.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { startRabbit } from "../../support/RabbitNode.ts"

const Ticked = Event.make("recurring.ticked", { version: 1, data: Schema.Struct({ at: Schema.String }) })
const Beat = Recurring.layer("beat", {
  event: Ticked,
  cron: "* * * * * *",
  catchUp: "all",
  data: (tick) => ({ at: tick.toISOString() })
})
const name = Rights.literal(Ticked.name)
const service = { subscribers: ["recurring.beat", "reader"], publishes: [name], binds: [name] }

describeLive(
  "a recurring event on RabbitMQ",
  () => {
    it.live("comes once for each second while its processes end, and the broker is killed and comes back", () =>
      Effect.gen(function* () {
        const rabbit = yield* Effect.acquireRelease(
          Effect.promise(() => startRabbit()),
          (node) => Effect.promise(() => node.stop())
        )
        const namespace = freshNamespace()
        const seen = new Map<string, Set<string>>()
        const Reader = Subscriber.layer("reader", {
          events: [Ticked],
          handler: ({ data: { at }, id }) => Effect.sync(() => seen.set(at, (seen.get(at) ?? new Set()).add(id)))
        })
        // What all services share is declared by somebody who may.
        yield* Effect.scoped(
          Layer.build(Layer.provide(Layer.merge(Beat, Reader), EventBus.layerAmqp({ url: rabbit.url, namespace })))
        )
        const url = yield* Effect.promise(() => addLeast(rabbit, namespace, service))
        const scope = yield* Effect.scope
        const begin = <E>(layer: Layer.Layer<never, E, EventBus>) =>
          Effect.gen(function* () {
            const own = yield* Scope.fork(scope)
            const bus = Layer.provideMerge(layer, EventBus.layerAmqp({ url, namespace }))
            const context = yield* Layer.buildWithScope(Layer.fresh(bus), own)
            return { context, end: Scope.close(own, Exit.void) }
          })
        const reader = yield* begin(Reader)
        const [first, second] = [yield* begin(Beat), yield* begin(Beat)]
        const more = (count: number) => {
          const wanted = seen.size + count
          return until(
            () => `${seen.size} ticks, ${wanted} wanted`,
            () => seen.size >= wanted
          )
        }
        yield* more(3)
        yield* first.end
        yield* more(2)
        yield* Effect.promise(async () => {
          await rabbit.kill()
          await rabbit.restart()
        })
        yield* more(3)
        const third = yield* begin(Beat)
        yield* second.end
        yield* more(3)
        yield* third.end
        const ticks = [...seen.keys()].map((at) => Date.parse(at)).toSorted((one, other) => one - other)
        const begun = ticks[0] ?? 0
        assert.deepStrictEqual(
          ticks,
          ticks.map((_, n) => begun + n * 1_000),
          "a second is missing"
        )
        for (const [at, ids] of seen) assert.strictEqual(ids.size, 1, `${at} has several ids`)
        assert.strictEqual(yield* Context.get(reader.context, DeadLetters).count("recurring.beat"), 0)
      })
    )
  },
  ["rabbitNode"]
)
