/**
 * One event that waits to be written to Redis. A class and not a literal: see bus/port/OutgoingMessage.ts.
 */
import { orderOf } from "../../bus/port/CacheOrder.ts"
import type { CacheEntry, Remembered } from "../../bus/port/CacheStore.ts"
import { type Body, sizeOf } from "../../event/Body.ts"

/** What an entry costs besides its body, in bytes. */
const overhead = 256

export class PendingWrite implements Remembered {
  readonly entry: CacheEntry
  readonly id: string
  /** What orders it: the time of the event, at most that of the clock. */
  readonly time: number
  readonly body: Body
  /** When it was written, by the monotonic clock: its time to live runs from here. */
  readonly at: number
  /** Its part of the bytes that may wait. */
  readonly size: number

  /** `now` is the wall time, `at` the monotonic one. */
  constructor(entry: CacheEntry, now: number, at: number) {
    this.entry = entry
    this.id = entry.id
    // Redis clamps by its own clock too; here it keeps a clock that runs ahead from winning among its own.
    this.time = orderOf(entry.time, now)
    this.body = entry.body
    this.at = at
    this.size = sizeOf(entry.body) + overhead
  }
}
