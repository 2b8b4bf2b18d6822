/** Times of RFC 3339: those that exist are read, also leap seconds, and no others. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Rfc3339 from "../../src/event/Rfc3339.ts"

const iso = (text: string): string => new Date(Rfc3339.millisOf(text)).toISOString()
const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const two = (value: number): string => String(value).padStart(2, "0")

describe("Rfc3339", () => {
  it.prop(
    "reads what Date writes, for every time of four-digit years",
    [int(Date.UTC(0, 0, 1) - 1900 * 365 * 86_400_000, Date.UTC(9999, 11, 31))],
    ([millis]) => {
      assert.strictEqual(Rfc3339.millisOf(new Date(millis).toISOString()), millis)
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "cuts any number of digits to milliseconds, at any offset",
    [
      int(0, Date.UTC(2100, 0, 1) / 1000),
      Schema.String.check(Schema.isPattern(/^\d{1,40}$/u)),
      int(0, 23),
      int(0, 59),
      Schema.Boolean
    ],
    ([seconds, digits, hours, minutes, east]) => {
      const offset = (hours * 60 + minutes) * 60 * (east ? 1 : -1)
      const local = new Date((seconds + offset) * 1000).toISOString().slice(0, 19)
      const millis = Rfc3339.millisOf(`${local}.${digits}${east ? "+" : "-"}${two(hours)}:${two(minutes)}`)
      assert.strictEqual(millis, seconds * 1000 + Number(digits.slice(0, 3).padEnd(3, "0")))
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "refuses a day exactly where its month does not have it",
    [int(0, 9999), int(0, 99), int(0, 99)],
    ([year, month, day]) => {
      const text = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T00:00:00Z`
      const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
      const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0
      assert.strictEqual(Number.isNaN(Rfc3339.millisOf(text)), day < 1 || day > days, text)
    },
    { arbitrary: { runs: 2000 } }
  )

  it("reads a leap second at the end of a month in UTC as the millisecond before its end", () => {
    for (const text of [
      "2016-12-31T23:59:60Z",
      "2016-12-31T23:59:60.9Z",
      "2017-01-01T01:59:60.25+02:00",
      "2016-12-31T15:59:60-08:00"
    ])
      assert.strictEqual(iso(text), "2016-12-31T23:59:59.999Z", text)
    assert.strictEqual(iso("2015-06-30T23:59:60Z"), "2015-06-30T23:59:59.999Z")
    for (const text of [
      "2016-12-31T23:58:60Z",
      "2016-12-31T22:59:60Z",
      "2016-12-30T23:59:60Z",
      "2016-12-31T23:59:60+01:00",
      "2016-12-31T23:59:61Z"
    ])
      assert.isNaN(Rfc3339.millisOf(text), text)
  })

  it("refuses what is in no clock, and other forms", () => {
    for (const text of [
      "2026-02-28T24:00:00Z",
      "2026-02-28T12:60:00Z",
      "2026-02-28T12:00:00+24:00",
      "2026-02-28T12:00:00+01:60",
      "2026-02-28T12:00:00.Z",
      "2026-02-28T12:00:00,5Z",
      "2026-02-28T12:00:00",
      "2026-02-28T12:00Z",
      "+002026-02-28T12:00:00Z",
      " 2026-02-28T12:00:00Z",
      "2026-02-28T12:00:00Z\n",
      "２026-02-28T12:00:00Z"
    ])
      assert.isNaN(Rfc3339.millisOf(text), text)
  })
})
