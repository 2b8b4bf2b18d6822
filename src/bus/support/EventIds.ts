/**
 * Ids of events: UUIDv7 (RFC 9562), so that ids sort by time. Monotonic within a process, also when
 * the clock stands still or is set back.
 */
import * as Context from "effect/Context"
import { randomFillSync } from "node:crypto"

export interface EventIds {
  /** A new id for this time, in milliseconds since the epoch. */
  readonly next: (millis: number) => string
}

export const make = (): EventIds => {
  const pool = Buffer.alloc(4096)
  let digits = ""
  let used = 0
  let last = 0
  let counter = 0
  let shown = -1
  let prefix = ""
  return {
    next: (millis) => {
      if (millis > last) {
        last = millis
        counter = 0
      } else if (++counter > 0xfff) {
        // 4,096 ids within a millisecond: borrow from the next one.
        last++
        counter = 0
      }
      if (used + randomDigits > digits.length) {
        digits = randomFillSync(pool).toString("hex")
        used = 0
      }
      if (last !== shown) {
        const time = last.toString(16).padStart(12, "0")
        prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
        shown = last
      }
      const at = used
      used += randomDigits
      const variant = variants[Number.parseInt(digits.charAt(at), 16) & 3] ?? "8"
      const count = counter < 16 ? `00${counter.toString(16)}` : counter.toString(16).padStart(3, "0")
      return `${prefix}${count}-${variant}${digits.slice(at + 1, at + 4)}-${digits.slice(at + 4, used)}`
    }
  }
}

const randomDigits = 16
const variants = ["8", "9", "a", "b"] as const

/** The source of ids. Tests that need known ids provide their own. */
export const CurrentIds: Context.Reference<EventIds> = Context.Reference<EventIds>("@eduflow/events/bus/EventIds", {
  defaultValue: make
})
