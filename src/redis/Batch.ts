/**
 * What a batch of entries asks of Redis: for each event and key one last-known write, that of the
 * newest, and for each history one append with everything that it can hold. Pure.
 */
import type { CacheEntry } from "../bus/EventCache.ts"
import type { Keys } from "./Keys.ts"
import * as Scripts from "./Scripts.ts"
import { type Buffered, isNewer } from "./Backlog.ts"

export interface PlannedCall extends Scripts.Call {
  /** The entries that need it. */
  readonly entries: ReadonlyArray<Buffered>
}

export interface Batch {
  readonly calls: ReadonlyArray<PlannedCall>
  /** Last-known writes that a newer one in the batch made needless. */
  readonly coalesced: number
}

const defaultCap = 100
const maxCap = 100_000
/** Redis refuses a time to live that ends after the year 292 million. */
const forever = 1e15

/** How many past events the entry's history keeps; 0 is none. */
export const historyCap = ({ settings: { history = defaultCap } }: CacheEntry): number =>
  history >= 1 ? Math.min(Math.floor(history), maxCap) : 0

export const plan = (
  batch: ReadonlyArray<Buffered>,
  at: { readonly keys: Keys; readonly writer: string; readonly now: number }
): Batch => {
  const lasts = new Map<string, Array<Buffered>>()
  const histories = new Map<string, Array<Buffered>>()
  for (const buffered of batch) {
    const { entry } = buffered
    if (entry.settings.last !== false) group(lasts, buffered.lastKey, buffered)
    if (historyCap(entry) === 0) continue
    group(histories, at.keys.history(entry.event), buffered)
    if (entry.settings.perKey === true) group(histories, at.keys.keyHistory(entry.event, entry.key), buffered)
  }
  const calls: Array<PlannedCall> = []
  let coalesced = 0
  for (const [key, entries] of lasts) {
    const { at: since, entry, time } = newestOf(entries)
    coalesced += entries.length - 1
    // The time to live runs since the write, also while Redis was away.
    const ttl = entry.settings.ttl ?? Number.POSITIVE_INFINITY
    const left = Math.ceil(since + ttl - at.now)
    if (left < 1) continue
    calls.push({
      script: Scripts.last,
      keys: [key],
      args: [time, entry.id, entry.body, left < forever ? left : 0],
      entries
    })
  }
  for (const [key, entries] of histories) {
    const newest = entries[entries.length - 1]
    if (newest === undefined) continue
    const cap = historyCap(newest.entry)
    // What the cap would push out again in the same step need not travel.
    const args = entries.slice(-cap).flatMap(({ entry, number }) => [number, entry.body])
    calls.push({
      script: Scripts.append,
      keys: [key, at.keys.progress(key, at.writer)],
      args: [cap, at.writer, ...args],
      entries
    })
  }
  return { calls, coalesced }
}

const group = (groups: Map<string, Array<Buffered>>, key: string, buffered: Buffered): void => {
  const found = groups.get(key)
  if (found === undefined) groups.set(key, [buffered])
  else found.push(buffered)
}

const newestOf = (entries: ReadonlyArray<Buffered>): Buffered =>
  entries.reduce((newest, next) => (isNewer(next, newest) ? next : newest))
