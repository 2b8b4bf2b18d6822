/** A handler that computes for seconds is seen (C10). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect } from "effect"
import * as EventLoop from "../../src/bus/EventLoop.ts"
import * as Stage from "./Stage.ts"

describe("event loop", () => {
  it.effect("C10: how late it is at most in the last minute is told, and heals", () =>
    Effect.gen(function* () {
      const real = yield* Clock.Clock
      // A clock that a computation of so many milliseconds has moved.
      let spent = 0
      const late: Clock.Clock = { ...real, currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + spent }
      Object.setPrototypeOf(late, Object.getPrototypeOf(real))
      const probe = yield* EventLoop.watch(Context.empty()).pipe(Effect.provideService(Clock.Clock, late))
      yield* Stage.pass(5_000, 1_000)
      assert.deepInclude(yield* probe.check, { status: "up", detail: "at most 0 ms late in the last minute" })
      yield* Stage.turns
      spent += 7_000
      yield* Stage.pass(2_000, 1_000)
      assert.deepInclude(yield* probe.check, { status: "degraded", detail: "at most 7000 ms late in the last minute" })
      yield* Stage.pass(65_000, 1_000)
      assert.deepInclude(yield* probe.check, { status: "up" })
    })
  )
})
