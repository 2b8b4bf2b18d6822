/**
 * What a batch of entries asks of Redis: for each event and key one last-known write, that of the
 * newest, and for each history one append with everything that it can hold. Pure.
 */
import { compare, historyCap, newestFirst } from "../bus/CacheStore.ts"
import { bytesOf } from "../event/Body.ts"
import type { Buffered } from "./Backlog.ts"
import type { Keys } from "./Keys.ts"
import * as Layout from "./Layout.ts"
import * as Scripts from "./Scripts.ts"

export interface PlannedCall extends Scripts.Call {
  /** The entries that need it. */
  readonly entries: ReadonlyArray<Buffered>
}

export interface Batch {
  readonly calls: ReadonlyArray<PlannedCall>
  /** Last-known writes that a newer one in the batch made needless. */
  readonly coalesced: number
}

/** Redis refuses a time to live that ends after the year 292 million. */
const forever = 1e15

export const plan = (batch: ReadonlyArray<Buffered>, at: { readonly keys: Keys; readonly now: number }): Batch => {
  const lasts = new Map<string, Array<Buffered>>()
  const histories = new Map<string, Array<Buffered>>()
  for (const buffered of batch) {
    const { entry } = buffered
    if (entry.settings.last !== false) group(lasts, at.keys.last(entry.event, entry.key), buffered)
    if (historyCap(entry.settings) === 0) continue
    group(histories, at.keys.history(entry.event), buffered)
    if (entry.settings.perKey === true) group(histories, at.keys.keyHistory(entry.event, entry.key), buffered)
  }
  const calls: Array<PlannedCall> = []
  let coalesced = 0
  for (const [key, entries] of lasts) {
    const newest = entries.reduce((newest, next) => (compare(next, newest) > 0 ? next : newest))
    coalesced += entries.length - 1
    // The time to live runs since the write, also while Redis was away.
    const ttl = newest.entry.settings.ttl ?? Number.POSITIVE_INFINITY
    const left = Math.ceil(newest.at + ttl - at.now)
    if (left < 1) continue
    calls.push({
      script: Scripts.last,
      keys: [key],
      args: [newest.time, newest.id, bytesOf(newest.body), left < forever ? left : 0],
      entries
    })
  }
  for (const [key, entries] of histories) {
    const latest = entries[entries.length - 1]
    if (latest === undefined) continue
    const cap = historyCap(latest.entry.settings)
    // What the cap would push out again in the same step need not travel.
    const kept = entries.length > cap ? newestFirst(entries).slice(0, cap) : entries
    const args = kept.flatMap((buffered) => [buffered.time, Layout.member(buffered)])
    calls.push({ script: Scripts.append, keys: [key], args: [cap, ...args], entries })
  }
  return { calls, coalesced }
}

const group = (groups: Map<string, Array<Buffered>>, key: string, buffered: Buffered): void => {
  const found = groups.get(key)
  if (found === undefined) groups.set(key, [buffered])
  else found.push(buffered)
}
