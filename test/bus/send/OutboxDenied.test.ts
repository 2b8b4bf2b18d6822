/** A publish that the broker denies ends at once and holds up nothing; a copy waits for the right (P2). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Stage from "./OutboxStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

describe("a message that the broker denies", () => {
  it.effect("P2: is Denied if it is a publish, and those of its key go on", () =>
    Effect.gen(function* () {
      const { answer, results, scripted, submit } = yield* Stage.make()
      submit("a", { key: "k", endsWhenDenied: true })
      submit("b", { key: "k", endsWhenDenied: true })
      answer(0, Scripted.denied)
      assert.deepStrictEqual(results, ["a Denied"])
      submit("c", { key: "k" })
      answer(1, Scripted.confirmed)
      answer(2, Scripted.confirmed)
      assert.deepStrictEqual(results, ["a Denied", "b Confirmed", "c Confirmed"])
      assert.lengthOf(scripted.sent, 3)
    })
  )

  it.effect("P2: is Unknown if an earlier answer was lost, and Rejected if it was rejected before", () =>
    Effect.gen(function* () {
      const { answer, results, submit } = yield* Stage.make()
      submit("a", { endsWhenDenied: true })
      submit("b", { endsWhenDenied: true })
      answer(0, Scripted.lost)
      answer(1, Scripted.rejected)
      yield* TestClock.adjust(1_000)
      answer(2, Scripted.denied)
      answer(3, Scripted.denied)
      assert.deepStrictEqual(results, ["a Unknown", "b Rejected"])
    })
  )

  it.effect("P3: is sent until the right is given if it is a copy", () =>
    Effect.gen(function* () {
      const { answer, results, scripted, submit } = yield* Stage.make()
      submit("a")
      answer(0, Scripted.denied)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(results, [])
      answer(scripted.sent.length - 1, Scripted.confirmed)
      assert.deepStrictEqual(results, ["a Confirmed"])
    })
  )
})
