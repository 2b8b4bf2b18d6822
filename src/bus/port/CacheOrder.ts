/**
 * The one order of all caches: by time, then by the bytes of the id. And the bounds of their histories.
 */
import { isSame } from "../../event/Body.ts"
import type * as Event from "../../event/Event.ts"
import type { HistoryRange, Position, Remembered } from "./CacheStore.ts"

/** How far a time may be ahead of the clock before it counts as now, in milliseconds. */
export const tolerance = 5_000

/** The time by which an event of this time is ordered. */
export const orderOf = (time: number, now: number): number =>
  !Number.isFinite(time) ? 0 : time > now + tolerance ? now : Math.trunc(time)

/** Negative when `a` is older than `b`, 0 when they are the same. */
export const compare = (a: Pick<Remembered, "time" | "id">, b: Position): number =>
  a.time !== b.time ? a.time - b.time : compareIds(a.id, b.id ?? "")

/** Newest first, without duplicates. */
export const newestFirst = <A extends Remembered>(events: ReadonlyArray<A>): Array<A> =>
  events
    .toSorted((a, b) => compare(b, a))
    .filter((one, i, all) => {
      // Duplicates are neighbours, unless different bodies share an id.
      const last = all[i - 1]
      return last === undefined || compare(one, last) !== 0 || !isSame(one.body, last.body)
    })

/** By the bytes of UTF-8, like Redis. Below the surrogates that is the order of the code units. */
const compareIds = (a: string, b: string): number => {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const one = a.charCodeAt(i)
    const other = b.charCodeAt(i)
    if (one === other) continue
    if (one < surrogates && other < surrogates) return one - other
    break
  }
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
const surrogates = 0xd800

/** Whether an event is within a range of a history. */
export const isWithin = (one: Pick<Remembered, "time" | "id">, { after, before }: HistoryRange): boolean =>
  (before === undefined || compare(one, before) < 0) && (after === undefined || one.time > after)

/** How many events a history holds if the contract does not say. */
export const defaultHistory = 100
/** The longest history that is kept or read at once. */
export const maxHistory = 100_000

/** How many past events are kept under these settings; 0 is none. */
export const historyCap = ({ history = defaultHistory }: Event.CachePolicy): number =>
  history >= 1 ? Math.min(Math.floor(history), maxHistory) : 0
