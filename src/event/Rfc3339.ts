/**
 * Times in the form of RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339#section-5.6). `new Date` reads other forms as
 * well, some of them in the time zone of the machine, and takes 30 February for 2 March.
 */
import * as Predicate from "effect/Predicate"

const form = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/
const minuteMillis = 60_000

/**
 * Milliseconds since the epoch; NaN for any other text and for times that do not exist. Digits beyond milliseconds are
 * cut off. JavaScript has no leap seconds: a time in one becomes the millisecond before its end, so that order is kept.
 */
export const millisOf = (text: string): number => {
  const found = form.exec(text)
  if (found === null) return Number.NaN
  const part = (at: number): number => Number(found[at] ?? 0)
  const [year, month, day] = [part(1), part(2) - 1, part(3)]
  const [hour, minute, second] = [part(4), part(5), part(6)]
  const [offsetHour, offsetMinute] = [part(9), part(10)]
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return Number.NaN
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  // A day that the month does not have leads into another one.
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return Number.NaN
  const offset = (offsetHour * 60 + offsetMinute) * (found[8] === "-" ? -1 : 1)
  const startOfMinute = date.getTime() + (hour * 60 + minute - offset) * minuteMillis
  if (second === 60) return endsMonth(startOfMinute) ? startOfMinute + minuteMillis - 1 : Number.NaN
  return startOfMinute + second * 1000 + Number((found[7] ?? "").slice(0, 3).padEnd(3, "0"))
}

/** Whether a minute is the last one of a month in UTC: only there can a leap second be. */
const endsMonth = (startOfMinute: number): boolean => {
  const next = new Date(startOfMinute + minuteMillis)
  return next.getUTCDate() === 1 && next.getUTCHours() === 0 && next.getUTCMinutes() === 0
}

// Many events share a second. The text up to the seconds has 19 characters.
let lastSecond = "?"
let lastSecondMillis = 0

/** The date of an attribute, invalid if it is none; `absent` is the time, in milliseconds, of an event that names none. */
export const dateOf = (time: unknown, absent: number | undefined): Date => {
  if (Predicate.isNullish(time)) return new Date(absent ?? 0)
  if (typeof time !== "string") return new Date(Number.NaN)
  // The form that this library writes: 2027-02-03T10:20:30.456Z.
  const isOwnForm = time.length === 24 && time.charCodeAt(19) === 0x2e && time.charCodeAt(23) === 0x5a
  if (isOwnForm && time.startsWith(lastSecond)) {
    const millis = thousandths(time.charCodeAt(20), time.charCodeAt(21), time.charCodeAt(22))
    if (millis >= 0) return new Date(lastSecondMillis + millis)
  }
  const millis = millisOf(time)
  const date = new Date(millis)
  // A leap second, for example, does not survive the conversion.
  if (isOwnForm && !Number.isNaN(millis) && date.toISOString() === time) {
    lastSecond = time.slice(0, 19)
    lastSecondMillis = Math.floor(millis / 1000) * 1000
  }
  return date
}

/** The value of three digits, or -1 if one of them is not a digit. */
const thousandths = (first: number, second: number, third: number): number =>
  isDigit(first) && isDigit(second) && isDigit(third)
    ? (first - 0x30) * 100 + (second - 0x30) * 10 + (third - 0x30)
    : -1
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39
