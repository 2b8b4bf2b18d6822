/** Which ticks are due, against all ticks counted one by one. */
import { assert, describe, it } from "@effect/vitest"
import { Cron } from "effect"
import { type CatchUp, inTimeMillis, mostCaughtUp, plan } from "../../../src/bus/recurring/Ticks.ts"
import * as SeededRandom from "../../../src/bus/support/SeededRandom.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const start = Date.parse("2026-03-28T12:34:56.789Z")

const allTicks = (cron: Cron.Cron, base: number, now: number): ReadonlyArray<number> => {
  const ticks: Array<number> = []
  for (let tick = Cron.next(cron, base); tick.getTime() <= now; tick = Cron.next(cron, tick)) ticks.push(tick.getTime())
  return ticks
}

const crons = ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 9 * * 1-5", "0 6 1 * *", "15 30 4 29 2 *"]
const catchUps: ReadonlyArray<CatchUp> = ["latest", "all", "none"]
const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]

describe("ticks", () => {
  it("that are due are the latest ones until now", () => {
    const random = SeededRandom.make(7)
    const below = (bound: number): number => Math.floor(random() * bound)
    for (let run = 0; run < 120; run++) {
      const text = crons[below(crons.length)] ?? ""
      const zone = zones[below(zones.length)]
      const catchUp = catchUps[below(catchUps.length)] ?? "all"
      const cron = Cron.parseUnsafe(text, zone, { onDstOverlap: text.startsWith("*") ? "both" : "earlier" })
      const base = start + below(400 * day)
      const now = base + below(text.startsWith("*") ? 20 * hour : 60 * day)
      const about = `${text} ${zone} ${catchUp} ${base} ${now}`
      const ticks = allTicks(cron, base, now)
      const latest = ticks.at(-1)
      if (latest === undefined) continue
      const planned = plan(cron, base, now, catchUp)
      assert.strictEqual(planned.last.getTime(), latest, about)
      const isTooLate = now - latest > inTimeMillis
      const expected =
        catchUp === "all" ? ticks.slice(-mostCaughtUp) : catchUp === "none" && isTooLate ? [] : ticks.slice(-1)
      const due = planned.due.map((tick) => tick.getTime())
      assert.deepStrictEqual(due, expected, about)
      assert.strictEqual(planned.hasSkipped, expected.length < ticks.length, about)
    }
  })

  it("of ten years of minutes are planned without counting them all", () => {
    const cron = Cron.parseUnsafe("* * * * *", "UTC")
    let computed = 0
    const counted = new Proxy(cron, {
      get: (target, name) => {
        if (name === "seconds") computed++
        return Reflect.get(target, name)
      }
    })
    const planned = plan(counted, start, start + 3_650 * day, "all")
    assert.lengthOf(planned.due, mostCaughtUp)
    assert.isTrue(planned.hasSkipped)
    assert.isBelow(computed, 1_000_000)
  })
})
