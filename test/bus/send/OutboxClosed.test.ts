/** What becomes of shipments when their broker is closed for good. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Stage from "./OutboxStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

describe("Outbox", () => {
  it.effect("P2: a broker that is closed ends all that is here at once, each with what is known of it", () =>
    Effect.gen(function* () {
      const { results, scripted, submit } = yield* Stage.make({ bounds: { count: 2, bytes: 1_000 } })
      submit("sent")
      scripted.script = () => Scripted.notSent
      submit("stalled")
      submit("waiting")
      yield* scripted.become(Scripted.closed)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(results, ["sent Unknown", "stalled Unavailable(Closed)", "waiting Unavailable(Closed)"])
    })
  )
})
