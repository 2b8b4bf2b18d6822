/**
 * Selects the pending writes that are still needed: of each key the newest, and of each history the newest ones that it
 * holds. Without the others Redis ends up the same. Pure.
 */
import { compare, historyCap } from "../../bus/port/CacheOrder.ts"
import { isSame } from "../../event/Body.ts"
import type { PendingWrite } from "./PendingWrite.ts"

/** Keeps the order of the entries. */
export const needed = (entries: ReadonlyArray<PendingWrite>): ReadonlyArray<PendingWrite> => {
  const kept: Array<PendingWrite> = []
  const seen = new Map<string, Seen>()
  const isOrdered = entries.every((one, i) => {
    const before = entries[i - 1]
    return before === undefined || compare(before, one) <= 0
  })
  const ordered = isOrdered ? entries : entries.toSorted(compare)
  for (let i = ordered.length - 1; i >= 0; i--) {
    const one = ordered[i]
    if (one !== undefined && isNeeded(one, seen)) kept.push(one)
  }
  if (isOrdered) return kept.reverse()
  const chosen = new Set(kept)
  return entries.filter((one) => chosen.has(one))
}

/** Whether an entry is needed, given that all newer ones were looked at before. */
const isNeeded = (one: PendingWrite, seen: Map<string, Seen>): boolean => {
  const { event, key, settings } = one.entry
  let of = seen.get(event)
  if (of === undefined) seen.set(event, (of = { lasts: new Set(), history: 0, histories: new Map(), before: one }))
  else {
    const { before } = of
    of.before = one
    // The same event again, or two that share an id: they take one place together.
    if (compare(before, one) === 0) return before.entry.key !== key || !isSame(before.body, one.body)
  }
  let isNewest = false
  if (settings.last !== false && !of.lasts.has(key)) {
    of.lasts.add(key)
    isNewest = true
  }
  const cap = historyCap(settings)
  if (of.history < cap) {
    of.history++
    isNewest = true
  }
  if (settings.perKey !== true) return isNewest
  const length = of.histories.get(key) ?? 0
  if (length >= cap) return isNewest
  of.histories.set(key, length + 1)
  return true
}

/** What the newer entries of one event provide already. */
interface Seen {
  before: PendingWrite
  readonly lasts: Set<string>
  history: number
  readonly histories: Map<string, number>
}
