/** What is sent again keeps its order (P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Stage from "./OutboxStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

describe("Outbox", () => {
  it.effect("P6, N7: lost messages are sent again in their order, before anything newer of their key", () =>
    Effect.gen(function* () {
      const { answer, outbox, results, scripted, submit } = yield* Stage.make()
      for (const id of ["k1", "k2", "k3"]) submit(id, { key: "k" })
      // The answers to one channel's sends come in any order when it breaks.
      answer(2, Scripted.lost)
      answer(0, Scripted.lost)
      answer(1, Scripted.lost)
      submit("k4", { key: "k" })
      submit("other", { key: "o" })
      assert.deepStrictEqual(scripted.ids().slice(3), ["other"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(scripted.ids().slice(4), ["k1", "k2", "k3", "k4"])
      for (const index of [4, 5, 6, 7]) answer(index, Scripted.confirmed)
      assert.deepStrictEqual(results, ["k1 Confirmed", "k2 Confirmed", "k3 Confirmed", "k4 Confirmed"])
      assert.isAtLeast(outbox.resent(), 3)
    })
  )

  it.effect("P6: also when the channel is lost again while messages are sent again", () =>
    Effect.gen(function* () {
      const { answer, scripted, submit } = yield* Stage.make()
      for (const id of ["k1", "k2", "k3"]) submit(id, { key: "k" })
      for (const index of [0, 1, 2]) answer(index, Scripted.lost)
      let open = false
      // The first one fails within the call, as a channel that is not there does; the others would pass.
      scripted.script = (sent) => (sent.properties.messageId === "k1" && !open ? Scripted.notSent : Scripted.confirmed)
      yield* TestClock.adjust("1 second")
      open = true
      yield* TestClock.adjust("10 seconds")
      const accepted = scripted.sent.filter((_, i) => i >= 3).map(({ message }) => message.properties.messageId)
      assert.isAtLeast(accepted.length, 4)
      // What counts is what was stored: the last time each was sent.
      const stored = [...new Set(accepted.toReversed())].toReversed()
      assert.deepStrictEqual(stored, ["k1", "k2", "k3"])
      assert.isBelow(accepted.lastIndexOf("k1"), accepted.indexOf("k2"), "k2 was stored before k1")
    })
  )

  it.effect("without a key no message waits for another", () =>
    Effect.gen(function* () {
      const { answer, scripted, submit } = yield* Stage.make()
      submit("a")
      answer(0, Scripted.lost)
      submit("b")
      assert.deepStrictEqual(scripted.ids(), ["a", "b"])
    })
  )

  it.effect("a thousand messages over channels that keep breaking: each has one outcome, in the order of its key", () =>
    Effect.gen(function* () {
      const { results, scripted, submit } = yield* Stage.make({ bounds: { count: 50, bytes: 10_000 } })
      let seed = 7
      const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
      const stored = new Map<string, Array<string>>()
      let epochEnds = 0
      scripted.script = ({ key = "", properties }, call) => {
        // A channel breaks: what is sent until then is lost, stored or not.
        if (epochEnds === 0 && random() < 0.02) epochEnds = 5
        if (epochEnds > 0) {
          epochEnds--
          return call % 2 === 0 ? Scripted.lost : Scripted.notSent
        }
        stored.set(key, [...(stored.get(key) ?? []), properties.messageId])
        return Scripted.confirmed
      }
      for (let n = 0; n < 1_000; n++) submit(`m${n}`, { key: `k${n % 7}`, deadline: Number.POSITIVE_INFINITY })
      for (let round = 0; round < 300 && results.length < 1_000; round++) yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        results.filter((result) => !result.endsWith("Confirmed")),
        []
      )
      assert.strictEqual(new Set(results).size, 1_000)
      for (const [key, ids] of stored) {
        const numbers = ids.map((id) => Number(id.slice(1)))
        assert.deepStrictEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
          key
        )
      }
    })
  )
})
