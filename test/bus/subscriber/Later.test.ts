/** Times that are none: `Later` and delayed publishes refuse them by name, and nothing runs early or never. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import { OptionInvalid } from "../../../src/event/options/OptionInvalid.ts"
import { Later } from "../../../src/bus/subscriber/HandlerError.ts"
import { numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

/** What callers without types may pass, and how the error quotes it. */
const none: ReadonlyArray<readonly [value: unknown, quoted: string]> = [
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  ["Infinity", '"Infinity"'],
  [-1, "-1"],
  ["-3 seconds", '"-3 seconds"'],
  ["soon", '"soon"'],
  [new Date(Number.NaN), "an object"],
  [new Date(0), "an object"],
  [{}, "an object"],
  [{ second: 3 }, "an object"],
  [{ seconds: Number.NaN }, "an object"],
  [[Number.NaN, 0], "an array"],
  [null, "null"]
]
const thrownBy = (call: () => unknown): unknown => {
  try {
    call()
  } catch (error) {
    return error
  }
  return assert.fail("it was accepted")
}

describe("Later", () => {
  for (const [value, quoted] of none) {
    it(`refuses ${quoted}`, () => {
      const input = value as Duration.Input
      const error = thrownBy(() => Later.in(input))
      assert.instanceOf(error, OptionInvalid)
      assert.strictEqual(error.option, "delay")
      assert.include(error.message, `\`delay\`: ${quoted} is not accepted`)
      assert.include(error.message, "30 seconds")
    })
  }

  it("refuses to be without a time", () => {
    assert.instanceOf(
      thrownBy(() => Later.in(undefined as unknown as Duration.Input)),
      OptionInvalid
    )
  })

  it("takes every form of a finite length of time", () => {
    for (const input of [0, 1500, "2 hours", { minutes: 3 }, Duration.days(30), [1, 0]] as const)
      assert.isAtLeast(Duration.toMillis(Later.in(input, "busy").in), 0)
    assert.strictEqual(new Later({ in: Duration.seconds(1) }).message, "postponed by 1s")
  })

  it.effect("P10: that has no such time is one failed attempt, whose dead letter names it, however it was made", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Happened = numbered()
      yield* bus.subscribe("later", {
        events: [Happened],
        retry: Schedule.recurs(0),
        concurrency: 1,
        handler: ({ data: { n } }) =>
          Effect.suspend(() => {
            const input = none[n]?.[0] as Duration.Input
            return Effect.fail(n === none.length ? Later.in(Number.NaN) : new Later({ in: input as Duration.Duration }))
          })
      })
      for (let n = 0; n <= none.length; n++) yield* bus.publish(Happened, { n })
      yield* Stage.pass(10_000)
      const found = yield* letters.list("later")
      assert.deepStrictEqual(
        found.map(({ attempts, error, reason }) => [reason, attempts, error.message.split(" is not accepted")[0]]),
        [
          ...none.map(([, quoted]) => ["Exhausted", 1, `Later: \`in\`: ${quoted}`]),
          ["Exhausted", 1, "Later.in: `delay`: NaN"]
        ]
      )
    })
  )
})

describe("a delayed publish", () => {
  it.effect("refuses what is no length of time, and names the option", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Happened = numbered()
      for (const [delay] of none) {
        const error = yield* Effect.flip(bus.publish(Happened, { n: 1 }, { delay: delay as Duration.Input }))
        assert.strictEqual(error.reason._tag, "Invalid", String(delay))
        assert.include(error.message, "delay: expected")
      }
      const at = { at: new Date(0) }
      const error = yield* Effect.flip(bus.publish(Happened, { n: 1 }, { ...at, key: "k" }))
      assert.include(error.message, "at: there is no such option (its value is an object). Give `delay`")
    })
  )
})
