/** What a handler gets are plain objects, however they are made. */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "node:assert"
import { Effect } from "effect"
import { EventBus } from "@eduflow/events"
import * as PlainRecord from "../../src/event/support/PlainRecord.ts"
import { fresh, numbered } from "../../src/ports/conformance/setup/TestEvents.ts"

describe("PlainRecord", () => {
  it("cannot be told from a literal", () => {
    const Point = PlainRecord.constructorOf<[x: number, y: number], { readonly x: number; readonly y: number }>(
      function (x, y) {
        this.x = x
        this.y = y
      }
    )
    // Node's own comparison looks at prototypes, too.
    deepStrictEqual(new Point(1, 2), { x: 1, y: 2 })
    assert.strictEqual(new Point(1, 2).constructor, Object)
  })

  it.effect("N23: so are events and the facts about their delivery, one by one and in batches", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const Thing = numbered()
      const seen: Array<unknown> = []
      yield* bus.subscribe(fresh("one"), {
        events: [Thing],
        handler: (event, delivery) => Effect.sync(() => seen.push(event, delivery))
      })
      yield* bus.subscribe(fresh("many"), {
        events: [Thing],
        batch: { size: 1, maxWait: "1 second" },
        handler: (events, deliveries) => Effect.sync(() => seen.push(...events, ...deliveries))
      })
      yield* bus.publish(Thing, { n: 1 })
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => seen.length === 4 }))
      for (const one of seen) assert.strictEqual(Object.getPrototypeOf(one), Object.prototype)
    }).pipe(Effect.scoped, Effect.provide(EventBus.layerMemory({ source: "test" })))
  )
})
