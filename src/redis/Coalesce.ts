/**
 * Which of the entries that wait are still needed: of a key the newest, and of each history as many of the
 * newest as it holds. Without the others Redis ends up the same. Pure.
 */
import { compare, historyCap } from "../bus/CacheStore.ts"
import { isSame } from "../event/Body.ts"
import type { Buffered } from "./Backlog.ts"

/** In the order in which they are given. */
export const needed = (entries: ReadonlyArray<Buffered>): ReadonlyArray<Buffered> => {
  const kept: Array<Buffered> = []
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

/** Of one that comes after all newer ones. */
const isNeeded = (one: Buffered, seen: Map<string, Seen>): boolean => {
  const { event, key, settings } = one.entry
  let of = seen.get(event)
  if (of === undefined) seen.set(event, (of = { lasts: new Set(), history: 0, histories: new Map(), before: one }))
  else {
    const { before } = of
    of.before = one
    // The same once more; or two that share an id, which do not take the room of others.
    if (compare(before, one) === 0) return before.entry.key !== key || !isSame(before.body, one.body)
  }
  let isIt = false
  if (settings.last !== false && !of.lasts.has(key)) {
    of.lasts.add(key)
    isIt = true
  }
  const cap = historyCap(settings)
  if (of.history < cap) {
    of.history++
    isIt = true
  }
  if (settings.perKey !== true) return isIt
  const length = of.histories.get(key) ?? 0
  if (length >= cap) return isIt
  of.histories.set(key, length + 1)
  return true
}

/** Of the entries of one event. */
interface Seen {
  before: Buffered
  readonly lasts: Set<string>
  history: number
  readonly histories: Map<string, number>
}
