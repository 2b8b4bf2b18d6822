/**
 * Which of the entries that wait are still needed: of a key the newest, and of each history as many of the
 * newest as it holds. Without the others Redis ends up the same. Pure.
 */
import { compare, historyCap, newestFirst } from "../bus/CacheStore.ts"
import type { Buffered } from "./Backlog.ts"

/** Those without which Redis would not end up the same: the newest of each key, and what histories can hold. */
export const needed = (entries: ReadonlyArray<Buffered>): ReadonlySet<Buffered> => {
  const lasts = new Map<string, Buffered>()
  const histories = new Map<string, Array<Buffered>>()
  const keyHistories = new Map<string, Array<Buffered>>()
  for (const one of entries) {
    const { event, settings } = one.entry
    const held = lasts.get(one.lastKey)
    if (settings.last !== false && (held === undefined || compare(one, held) > 0)) lasts.set(one.lastKey, one)
    if (historyCap(settings) === 0) continue
    gather(histories, event, one)
    if (settings.perKey === true) gather(keyHistories, one.lastKey, one)
  }
  const kept = new Set(lasts.values())
  for (const history of [...histories.values(), ...keyHistories.values()]) {
    const cap = historyCap(history[history.length - 1]?.entry.settings ?? {})
    for (const one of history.length > cap ? newestFirst(history).slice(0, cap) : history) kept.add(one)
  }
  return kept
}

const gather = (groups: Map<string, Array<Buffered>>, name: string, one: Buffered): void => {
  const found = groups.get(name)
  if (found === undefined) groups.set(name, [one])
  else found.push(one)
}
