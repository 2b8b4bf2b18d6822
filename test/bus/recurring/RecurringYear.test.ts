/** A year of ticks under the clock of the test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { hours, pass } from "../Stage.ts"
import { at, stage } from "./RecurringStage.ts"

describe("a recurring event", () => {
  it.effect("is published once an hour for a year, by five processes of which one is always ending", () =>
    Effect.gen(function* () {
      const { begin, ticks } = yield* stage
      const processes: Array<Effect.Success<ReturnType<typeof begin>>> = []
      for (let n = 0; n < 5; n++) processes.push(yield* begin())
      const total = 365 * 24
      for (let hour = 0; hour < total; hour++) {
        yield* pass(hours(1))
        if (hour % 97 !== 0) continue
        yield* processes.shift()?.end ?? Effect.void
        processes.push(yield* begin())
      }
      yield* pass(0)
      const first = Date.parse(at("01:00"))
      assert.lengthOf(ticks, total)
      for (const [n, tick] of ticks.entries()) {
        assert.strictEqual(Date.parse(tick.at), first + n * hours(1))
        assert.isAtMost(tick.late, hours(1))
      }
      assert.strictEqual(new Set(ticks.map(({ id }) => id)).size, total)
    })
  )
})
