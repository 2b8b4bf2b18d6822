/**
 * Entries that wait to be written, oldest first, and those of the batch that is on its way. Bounded by
 * entries and bytes: when it is full the oldest waiting one goes, and is counted. It can be read, so
 * that a process sees its own writes. Plain synchronous state; WriteBehind.ts moves it.
 */
import { type CacheEntry, compare, orderOf, type Remembered } from "../bus/CacheStore.ts"

/** Ordered by its time, which is not ahead of the clock. */
export interface Buffered extends Remembered {
  readonly entry: CacheEntry
  /** Identifies event and key. */
  readonly lastKey: string
  /** When it was written, in milliseconds since the epoch. */
  readonly at: number
}

/** What became of an entry: `refused` is dropped, `retry` stays and is tried again. */
export type Fate = "written" | "retry" | "refused"

export interface Counts {
  readonly written: number
  readonly dropped: number
  /** Batches that were not taken in full. */
  readonly failures: number
  readonly buffered: number
}

export interface Backlog {
  readonly add: (entry: CacheEntry, lastKey: string, now: number) => void
  /** Takes the next batch; it stays readable until it is settled. */
  readonly cut: () => ReadonlyArray<Buffered>
  /** Takes note of the fates of the batch, in its order; whether none has to be tried again. */
  readonly settle: (fates: ReadonlyArray<Fate>) => boolean
  /** Everything that is in here, oldest first. */
  readonly all: () => ReadonlyArray<Buffered>
  /** The newest entry of an event and key that is in here. */
  readonly newest: (lastKey: string) => Buffered | undefined
  /** Counts everything that is left as dropped, and says how much it was. */
  readonly abandon: () => number
  readonly refuse: () => void
  readonly size: () => number
  readonly counts: () => Counts
}

const batchEntries = 2_048
/** Bytes of a batch. On a line too slow for it within the deadline it shrinks until it fits. */
const batchBytes = 1024 * 1024
/** What an entry costs besides its body. */
const overhead = 256

export const make = (maxEntries: number, maxBytes: number, onDropped: (count: number) => void): Backlog => {
  const byKey = new Map<string, { newest: Buffered | undefined; count: number }>()
  let waiting: Array<Buffered> = []
  // Entries before it are gone: shifting an array of thousands for each batch costs more than the batch.
  let head = 0
  let flight: ReadonlyArray<Buffered> = []
  let bytes = 0
  let fitting = batchBytes
  let written = 0
  let dropped = 0
  let failures = 0

  const drop = (count: number): void => {
    dropped += count
    onDropped(count)
  }
  const size = (): number => flight.length + waiting.length - head
  const all = (): ReadonlyArray<Buffered> => [...flight, ...waiting.slice(head)]
  const compact = (): void => {
    if (head < 1_024 || head * 2 < waiting.length) return
    waiting = waiting.slice(head)
    head = 0
  }
  const forget = (buffered: Buffered): void => {
    bytes -= sizeOf(buffered)
    const slot = byKey.get(buffered.lastKey)
    if (slot === undefined || buffered.entry.settings.last === false) return
    if (--slot.count === 0) byKey.delete(buffered.lastKey)
    // Who takes its place is found when somebody asks.
    else if (slot.newest === buffered) slot.newest = undefined
  }
  const makeRoom = (): void => {
    while ((size() > maxEntries || bytes > maxBytes) && head < waiting.length) {
      const oldest = waiting[head++]
      if (oldest !== undefined) forget(oldest)
      drop(1)
    }
    compact()
  }
  const find = (lastKey: string): Buffered | undefined =>
    all().reduce<Buffered | undefined>(
      (found, next) =>
        next.lastKey === lastKey &&
        next.entry.settings.last !== false &&
        (found === undefined || compare(next, found) > 0)
          ? next
          : found,
      undefined
    )

  return {
    add: (entry, lastKey, now) => {
      const { body, id } = entry
      // Redis clamps by its own clock too; here it keeps a clock that runs ahead from winning among its own.
      const buffered = { entry, id, body, lastKey, at: now, time: orderOf(entry.time, now) }
      waiting.push(buffered)
      bytes += sizeOf(buffered)
      if (entry.settings.last !== false) {
        const slot = byKey.get(lastKey)
        if (slot === undefined) byKey.set(lastKey, { newest: buffered, count: 1 })
        else {
          slot.count++
          if (slot.newest !== undefined && compare(buffered, slot.newest) > 0) slot.newest = buffered
        }
      }
      if (size() > maxEntries || bytes > maxBytes) makeRoom()
    },
    cut: () => {
      let end = head
      let taken = 0
      for (; end < waiting.length && end - head < batchEntries; end++) {
        const next = waiting[end]
        if (next === undefined) break
        taken += sizeOf(next)
        if (taken > fitting && end > head) break
      }
      flight = waiting.slice(head, end)
      head = end
      compact()
      return flight
    },
    settle: (fates) => {
      const again: Array<Buffered> = []
      let whole = true
      flight.forEach((buffered, i) => {
        const fate = fates[i] ?? "retry"
        whole &&= fate === "written"
        if (fate === "retry") return void again.push(buffered)
        forget(buffered)
        if (fate === "written") written++
        else drop(1)
      })
      if (!whole) failures++
      fitting = again.length > 0 ? Math.ceil(fitting / 2) : Math.min(fitting * 2, batchBytes)
      flight = []
      if (again.length === 0) return true
      waiting = [...again, ...waiting.slice(head)]
      head = 0
      makeRoom()
      return false
    },
    all,
    newest: (lastKey) => {
      const slot = byKey.get(lastKey)
      if (slot !== undefined) slot.newest ??= find(lastKey)
      return slot?.newest
    },
    abandon: () => {
      const left = size()
      drop(left)
      return left
    },
    refuse: () => drop(1),
    size,
    counts: () => ({ written, dropped, failures, buffered: size() })
  }
}

const sizeOf = (buffered: Buffered): number => buffered.body.length + overhead
