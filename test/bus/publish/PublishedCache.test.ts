/** What the cache learns of a publish, and when. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Event from "../../../src/event/Event.ts"
import * as Stage from "./PublisherStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

const Posted = Event.make("grade.posted", {
  version: 1,
  data: Schema.Struct({ student: Schema.String, grade: Schema.Finite }),
  key: (data) => data.student
})
const data = { student: "s-1", grade: 93 }

describe("the cache of a publish", () => {
  it.effect("N28: a delayed event is sent to the delay queues and is not cached yet", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const { routed } = yield* stage.publish(Posted, data, { delay: "1500 millis" })
      assert.strictEqual(routed, "later")
      assert.deepStrictEqual(stage.scripted.sent[0]?.message.to, {
        _tag: "DelayedEvent",
        name: "grade.posted",
        seconds: 2
      })
      assert.strictEqual(stage.cached.length, 0)
    })
  )

  it.effect("N28: an event that was not confirmed is not cached; one without subscribers is", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      stage.scripted.script = () => Scripted.unrouted
      assert.isFalse((yield* stage.publish(Posted, data)).routed)
      assert.strictEqual(
        (yield* Effect.flip(stage.publish(Posted, data, { mandatory: true }))).reason._tag,
        "Unroutable"
      )
      assert.strictEqual(stage.cached.length, 1)
      const Uncached = Event.make("a.uncached", { version: 1, data: Schema.String, cache: false })
      yield* stage.publish(Uncached, "x")
      assert.strictEqual(stage.cached.length, 1)
    })
  )
})
