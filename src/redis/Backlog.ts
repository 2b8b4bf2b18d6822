/**
 * Entries that wait to be written, oldest first, and those of the batch that is on its way. What newer ones
 * make needless goes without being written: while Redis is away, what is held grows with the keys and the
 * lengths of histories and not with the events. Bounded by entries and bytes all the same: when it is full
 * the oldest waiting one goes, and is counted. It can be read, so that a process sees its own writes. Plain
 * synchronous state; WriteBehind.ts moves it.
 */
import { type CacheEntry, compare, orderOf, type Remembered } from "../bus/CacheStore.ts"
import { type Body, sizeOf } from "../event/Body.ts"
import { needed } from "./Coalesce.ts"

/**
 * Ordered by its time, which is not ahead of the clock. A class and no literal, as `bus/Message` says.
 */
export class Buffered implements Remembered {
  readonly entry: CacheEntry
  readonly id: string
  readonly time: number
  readonly body: Body
  /** When it was written, in milliseconds since the epoch. */
  readonly at: number
  /** What it takes of the bytes that may wait. */
  readonly size: number

  constructor(entry: CacheEntry, at: number) {
    this.entry = entry
    this.id = entry.id
    // Redis clamps by its own clock too; here it keeps a clock that runs ahead from winning among its own.
    this.time = orderOf(entry.time, at)
    this.body = entry.body
    this.at = at
    this.size = sizeOf(entry.body) + overhead
  }
}

/**
 * What became of an entry: `refused` is dropped; `retry` was not answered and is the first to be tried again;
 * `later` was refused as things are, and lets all others go first.
 */
export type Fate = "written" | "retry" | "later" | "refused"

export interface Counts {
  readonly written: number
  /** Entries that newer ones made needless before they were sent. */
  readonly superseded: number
  readonly dropped: number
  /** Batches that were not taken in full. */
  readonly failures: number
  readonly buffered: number
}

export interface Backlog {
  readonly add: (entry: CacheEntry, now: number) => void
  /** Takes the next batch; it stays readable until it is settled. */
  readonly cut: () => ReadonlyArray<Buffered>
  /** Takes note of the fates of the batch, in its order; whether none has to be tried again. */
  readonly settle: (fates: ReadonlyArray<Fate>) => boolean
  /** Everything that is in here, oldest first. */
  readonly all: () => ReadonlyArray<Buffered>
  /** The newest entry of an event and key that is in here. */
  readonly newest: (event: string, key: string) => Buffered | undefined
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
/** Needless entries are looked for when so many came, and as many as were left of the last look. */
const sweepAfter = 512
/** Or so many, before a batch is cut: to find what is needless costs less than to send it. */
const sweepBefore = 64

export const make = (maxEntries: number, maxBytes: number, onDropped: (count: number) => void): Backlog => {
  let waiting: Array<Buffered> = []
  // Entries before it are gone: shifting an array of thousands for each batch costs more than the batch.
  let head = 0
  // What was refused as things are; older than what waits, and tried when that leaves room in a batch.
  let behind: Array<Buffered> = []
  let flight: ReadonlyArray<Buffered> = []
  let bytes = 0
  let fitting = batchBytes
  let written = 0
  let superseded = 0
  let dropped = 0
  let failures = 0
  // By event and key, once somebody asked; undefined of a key is to be looked for again.
  let newest: Map<string, Map<string, Buffered | undefined>> | undefined
  // Of the last look for what is needless.
  let left = 0
  let arrived = 0

  const drop = (count: number): void => {
    dropped += count
    onDropped(count)
  }
  const size = (): number => behind.length + flight.length + waiting.length - head
  const all = (): ReadonlyArray<Buffered> => [...behind, ...flight, ...waiting.slice(head)]
  const compact = (): void => {
    if (head < 1_024 || head * 2 < waiting.length) return
    waiting = waiting.slice(head)
    head = 0
  }
  const forget = (buffered: Buffered): void => {
    bytes -= buffered.size
    const { event, key } = buffered.entry
    const keys = newest?.get(event)
    if (keys?.get(key) === buffered) keys.set(key, undefined)
  }
  const index = (buffered: Buffered, of: Map<string, Map<string, Buffered | undefined>>): void => {
    const { event, key, settings } = buffered.entry
    if (settings.last === false) return
    const keys = of.get(event)
    if (keys === undefined) return void of.set(event, new Map([[key, buffered]]))
    const held = keys.get(key)
    // Unknown stays unknown.
    if (held === undefined ? !keys.has(key) : compare(buffered, held) > 0) keys.set(key, buffered)
  }
  const sweep = (): void => {
    const before = behind.length + waiting.length - head
    const kept = needed([...behind, ...waiting.slice(head)])
    if (behind.length > 0) {
      const refused = new Set(behind)
      behind = kept.filter((one) => refused.has(one))
      waiting = kept.filter((one) => !refused.has(one))
    } else waiting = [...kept]
    head = 0
    bytes = [...flight, ...kept].reduce((sum, one) => sum + one.size, 0)
    newest = undefined
    superseded += before - kept.length
    left = kept.length
    arrived = 0
  }
  const isFull = (): boolean => size() > maxEntries || bytes > maxBytes
  const makeRoom = (): void => {
    // When all are needed, looking again for each that comes would cost more than it saves.
    if (isFull() && arrived * 8 > size()) sweep()
    while (isFull() && (behind.length > 0 || head < waiting.length)) {
      const oldest = behind.shift() ?? waiting[head++]
      if (oldest !== undefined) forget(oldest)
      drop(1)
    }
    compact()
  }
  const find = (event: string, key: string): Buffered | undefined =>
    all().reduce<Buffered | undefined>(
      (found, next) =>
        next.entry.key === key &&
        next.entry.event === event &&
        next.entry.settings.last !== false &&
        (found === undefined || compare(next, found) > 0)
          ? next
          : found,
      undefined
    )

  return {
    add: (entry, now) => {
      const buffered = new Buffered(entry, now)
      waiting.push(buffered)
      bytes += buffered.size
      if (newest !== undefined) index(buffered, newest)
      if (++arrived >= sweepAfter + left) sweep()
      if (isFull()) makeRoom()
    },
    cut: () => {
      if (arrived > sweepBefore) sweep()
      let taken = 0
      const fits = (from: ReadonlyArray<Buffered>, start: number, room: number): number => {
        let end = start
        for (; end < from.length && end - start < room; end++) {
          const next = from[end]
          if (next === undefined) break
          taken += next.size
          if (taken > fitting && taken > next.size) break
        }
        return end
      }
      const end = fits(waiting, head, batchEntries)
      flight = waiting.slice(head, end)
      // Else the next one of those that wait did not fit.
      if (end === waiting.length)
        flight = [...flight, ...behind.splice(0, fits(behind, 0, batchEntries - flight.length))]
      head = end
      compact()
      return flight
    },
    settle: (fates) => {
      const again: Array<Buffered> = []
      const later: Array<Buffered> = []
      let isWhole = true
      flight.forEach((buffered, i) => {
        const fate = fates[i] ?? "retry"
        isWhole &&= fate === "written"
        if (fate === "retry") return void again.push(buffered)
        if (fate === "later") return void later.push(buffered)
        forget(buffered)
        if (fate === "written") written++
        else drop(1)
      })
      flight = []
      if (!isWhole) failures++
      // Who is refused was answered in time.
      fitting = again.length > 0 ? Math.ceil(fitting / 2) : Math.min(fitting * 2, batchBytes)
      if (again.length + later.length === 0) return true
      if (again.length > 0) {
        waiting = [...again, ...waiting.slice(head)]
        head = 0
      }
      behind.push(...later)
      makeRoom()
      return false
    },
    all,
    newest: (event, key) => {
      if (newest === undefined) {
        newest = new Map()
        for (const one of all()) index(one, newest)
      }
      const keys = newest.get(event)
      const held = keys?.get(key)
      if (held !== undefined || keys?.has(key) !== true) return held
      const found = find(event, key)
      if (found === undefined) keys.delete(key)
      else keys.set(key, found)
      return found
    },
    abandon: () => {
      const left = size()
      drop(left)
      return left
    },
    refuse: () => drop(1),
    size,
    counts: () => ({ written, superseded, dropped, failures, buffered: size() })
  }
}
