/** Two buses of one program, one of them built while the other runs: each remembers its own events, in its own namespace. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Schedule, Schema } from "effect"
import { EventBus } from "../../src/app/EventBus.ts"
import type { LiveOptions } from "../../src/app/LiveOptions.ts"
import { EventCache } from "../../src/bus/read/EventCache.ts"
import * as Event from "../../src/event/Event.ts"
import { describeLive, freshNamespace, redisUrl } from "../support/live.ts"

const Moved = Event.make("van.moved", {
  version: 1,
  data: Schema.Struct({ n: Schema.Finite }),
  key: () => "van"
})

const places: Readonly<Record<string, () => Partial<LiveOptions>>> = {
  "in this process": () => ({}),
  "in Redis": () => ({ redisUrl: redisUrl(), redisTimeout: "10 seconds" })
}

describeLive(
  "two buses of one program",
  () => {
    for (const [place, more] of Object.entries(places))
      it.live(`P4: remember their own events ${place}`, () =>
        Effect.gen(function* () {
          const layer = () =>
            EventBus.layerAmqp({ url: "memory://", namespace: freshNamespace(), source: "van", ...more() })
          const lasts: Array<Option.Option<number>> = []
          const second = Layer.effectDiscard(
            Effect.gen(function* () {
              const first = yield* Effect.context<EventBus | EventCache>()
              const other = yield* Layer.build(layer())
              for (const [bus, n] of [
                [Context.get(first, EventBus), 1],
                [Context.get(other, EventBus), 2]
              ] as const)
                yield* bus.publish(Moved, { n })
              for (const context of [first, other]) {
                const read = Context.get(context, EventCache).last(Moved, "van")
                // What is published is written behind.
                const last = yield* Effect.repeat(read, {
                  until: Option.isSome,
                  schedule: Schedule.spaced("20 millis")
                })
                lasts.push(Option.map(last, ({ data }) => data.n))
              }
            })
          )
          yield* Effect.scoped(Layer.build(Layer.provide(second, layer())))
          assert.deepStrictEqual(lasts, [Option.some(1), Option.some(2)])
        })
      )
  },
  ["redis"]
)
