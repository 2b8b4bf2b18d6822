/** What was rejected once was sent: other queues may have it, whatever stands in its way afterwards (P2). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Stage from "./OutboxStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

describe("a publish that was rejected once", () => {
  for (const [what, status] of [
    ["the connection is lost", Scripted.connecting],
    ["the broker blocks", Scripted.blocked],
    ["the broker is closed", Scripted.closed]
  ] as const) {
    it.effect(`P2, N10, PUB10: is Rejected at its deadline, although ${what}`, () =>
      Effect.gen(function* () {
        const { answer, results, scripted, submit } = yield* Stage.make()
        submit("a", { deadline: 5_000 })
        answer(0, Scripted.rejected)
        scripted.script = () => Scripted.notSent
        yield* scripted.become(status)
        yield* TestClock.adjust(6_000)
        assert.deepStrictEqual(results, ["a Rejected"])
      })
    )
  }

  it.effect("P2, N10: is Rejected when the bus shuts its limit", () =>
    Effect.gen(function* () {
      const { answer, outbox, results, submit } = yield* Stage.make()
      submit("a")
      answer(0, Scripted.rejected)
      outbox.shut()
      assert.deepStrictEqual(results, ["a Rejected"])
    })
  )

  it.effect("P2, N10: is Rejected when it cannot be sent again", () =>
    Effect.gen(function* () {
      const { answer, results, scripted, submit } = yield* Stage.make()
      submit("a")
      answer(0, Scripted.rejected)
      yield* TestClock.adjust(1_000)
      assert.lengthOf(scripted.sent, 2)
      answer(1, Scripted.refused)
      assert.deepStrictEqual(results, ["a Rejected"])
    })
  )
})
