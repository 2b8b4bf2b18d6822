/** The options of recurring events: what is refused, and when the ticks are. */
import { assert, describe, it } from "@effect/vitest"
import { Cron, Effect, Result } from "effect"
import { settle } from "../../../src/bus/recurring/RecurringOptions.ts"
import { type Options, stage, Ticked } from "./RecurringStage.ts"

describe("the options of a recurring event", () => {
  it.effect("are checked before anything is declared", () =>
    Effect.gen(function* () {
      const { begin } = yield* stage
      const messageOf = (options: object, name?: string) =>
        Effect.map(Effect.flip(begin(options as Options, name)), ({ message }) => message)
      const berlin = Cron.parseUnsafe("0 9 * * *", "Europe/Berlin")
      assert.include(yield* messageOf({}, "Not a name"), "`name`")
      assert.include(yield* messageOf({ cron: "0 25 * * *" }), '`cron`: "0 25 * * *" cannot be read')
      assert.include(yield* messageOf({ cron: "hourly" }), "five fields")
      assert.include(yield* messageOf({ cron: "0 0 30 2 *" }), "never comes")
      assert.include(yield* messageOf({ timeZone: "Europe/Atlantis" }), '`timeZone`: "Europe/Atlantis" is no time zone')
      assert.include(yield* messageOf({ cron: berlin, timeZone: "UTC" }), "Leave it out")
      assert.include(yield* messageOf({ cron: berlin, repeatedHour: "twice" }), "Leave it out")
      assert.include(yield* messageOf({ catchup: "all" }), "Did you mean `catchUp`?")
      assert.include(yield* messageOf({ catchUp: "some" }), '"latest" or "all" or "none"')
      assert.include(yield* messageOf({ publish: { delay: "1 second" } }), "`publish.delay`: there is no such option")
      assert.include(yield* messageOf({ event: undefined }), "`event`: it is missing")
      assert.include(yield* messageOf({ data: { at: "now" } }), "`data`")
      const { start } = yield* begin({ cron: berlin }, "berlin")
      const { message } = yield* Effect.flip(Effect.scoped(start("berlin", { cron: "1 * * * *" })))
      assert.include(message, "`name`: a subscriber of this name runs here")
    })
  )

  const times = (options: Options, from: string, count: number): ReadonlyArray<string> => {
    const given = { event: Ticked, cron: "* * * * *", data: (tick: Date) => ({ at: tick.toISOString() }), ...options }
    const { cron } = Result.getOrThrow(settle("tick", given, 0))
    const found: Array<string> = []
    for (let tick = Cron.next(cron, from); found.length < count; tick = Cron.next(cron, tick))
      found.push(tick.toISOString())
    return found
  }
  const timeZone = "Europe/Berlin"

  it("without a time zone are read in UTC", () => {
    assert.deepStrictEqual(times({ cron: "30 2 * * *" }, "2026-03-28T12:00:00Z", 2), [
      "2026-03-29T02:30:00.000Z",
      "2026-03-30T02:30:00.000Z"
    ])
  })

  it("name a time that the clocks leave out: then it ticks right after it, once", () => {
    assert.deepStrictEqual(times({ cron: "30 2 * * *", timeZone }, "2026-03-28T12:00:00Z", 3), [
      "2026-03-29T01:30:00.000Z",
      "2026-03-30T00:30:00.000Z",
      "2026-03-31T00:30:00.000Z"
    ])
  })

  it("name a time that the clocks repeat: then it ticks once, or twice where that is wanted", () => {
    const cron = "30 2 * * *"
    assert.deepStrictEqual(times({ cron, timeZone }, "2026-10-24T12:00:00Z", 2), [
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z"
    ])
    assert.deepStrictEqual(times({ cron, timeZone, repeatedHour: "twice" }, "2026-10-24T12:00:00Z", 2), [
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T01:30:00.000Z"
    ])
  })

  it("name no hour: then it ticks in both of those that the clocks repeat, or in one where that is wanted", () => {
    const cron = "*/30 * * * *"
    assert.deepStrictEqual(times({ cron, timeZone }, "2026-10-25T00:15:00Z", 4), [
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T01:00:00.000Z",
      "2026-10-25T01:30:00.000Z",
      "2026-10-25T02:00:00.000Z"
    ])
    assert.deepStrictEqual(times({ cron, timeZone, repeatedHour: "once" }, "2026-10-25T00:15:00Z", 2), [
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T02:00:00.000Z"
    ])
  })
})
