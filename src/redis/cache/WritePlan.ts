/**
 * The commands that write a batch: for each event and key one last-known write, that of the newest entry, and for each
 * history one append with everything that it can hold. Pure.
 */
import { compare, historyCap, newestFirst } from "../../bus/port/CacheOrder.ts"
import { bytesOf } from "../../event/Body.ts"
import type { PendingWrite } from "./PendingWrite.ts"
import type { Keys } from "../connection/Keys.ts"
import * as Encoding from "./Encoding.ts"
import * as Scripts from "../connection/Scripts.ts"

export interface PlannedCall extends Scripts.Call {
  /** The entries that it writes. */
  readonly entries: ReadonlyArray<PendingWrite>
}

export interface WritePlan {
  readonly calls: ReadonlyArray<PlannedCall>
  /** Last-known writes that a newer one in the batch replaced. */
  readonly coalesced: number
}

/** Milliseconds from which a time to live is none: Redis refuses those that end after the year 292 million. */
const forever = 1e15

export const plan = (
  batch: ReadonlyArray<PendingWrite>,
  at: { readonly keys: Keys; readonly now: number }
): WritePlan => {
  const lasts = new Map<string, Array<PendingWrite>>()
  const histories = new Map<string, Array<PendingWrite>>()
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
    // The time to live runs from the write on, also while Redis is away.
    const timeToLive = newest.entry.settings.timeToLiveMillis ?? Number.POSITIVE_INFINITY
    const left = Math.ceil(newest.at + timeToLive - at.now)
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
    // Entries that the cap would push out again in the same step are not sent.
    const kept = entries.length > cap ? newestFirst(entries).slice(0, cap) : entries
    const args = kept.flatMap((buffered) => [buffered.time, Encoding.member(buffered)])
    calls.push({ script: Scripts.append, keys: [key], args: [cap, ...args], entries })
  }
  return { calls, coalesced }
}

const group = (groups: Map<string, Array<PendingWrite>>, key: string, buffered: PendingWrite): void => {
  const found = groups.get(key)
  if (found === undefined) groups.set(key, [buffered])
  else found.push(buffered)
}
