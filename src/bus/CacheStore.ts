/**
 * PORT: what remembers events. An adapter (Redis, memory) implements it and passes
 * `test/suites/CacheSuite.ts`.
 *
 * Everything in it is in one order: by time, then by the bytes of the id. A time more than 5 seconds
 * ahead of the store's clock counts as now, so that one clock that runs ahead does not freeze a key.
 */
import type { Effect, Option } from "effect"
import { type Body, isSame } from "../event/Body.ts"
import type * as Event from "../event/Event.ts"
import type { CacheError } from "./CacheError.ts"

/** One event to remember. */
export interface CacheEntry {
  readonly event: string
  /** Empty for events without a key. */
  readonly key: string
  readonly id: string
  /** When it happened, in milliseconds since the epoch. */
  readonly time: number
  readonly body: Body
  readonly settings: Event.CacheSettings
}

/** A place in the order; without an id before everything of its time. */
export interface Position {
  readonly time: number
  readonly id?: string
}

/** One event as it is remembered. */
export interface Remembered {
  /** Milliseconds since the epoch; what orders it. */
  readonly time: number
  readonly id: string
  /** As it was published. */
  readonly body: Body
}

export interface HistoryRange {
  /** Without a key the history of the event over all keys. */
  readonly key: string | undefined
  readonly limit: number
  /** Only what is older than this place. */
  readonly before?: Position | undefined
  /** Only what happened after this time, in milliseconds since the epoch. */
  readonly after?: number | undefined
}

export interface CacheStore {
  /** Takes it and returns at once; never throws. The same event again changes nothing. */
  readonly write: (entry: CacheEntry) => void
  readonly last: (event: string, key: string) => Effect.Effect<Option.Option<Remembered>, CacheError>
  /** In one round trip, in the order of the keys; undefined where nothing is known. */
  readonly lastMany: (
    event: string,
    keys: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Remembered | undefined>, CacheError>
  /** Newest first. */
  readonly history: (event: string, range: HistoryRange) => Effect.Effect<ReadonlyArray<Remembered>, CacheError>
  /** What waits to be written and what was dropped, of a store that writes behind. */
  readonly stats?: () => { readonly buffered: number; readonly dropped: number }
  readonly probe: Effect.Effect<{ readonly status: "up" | "degraded" | "down"; readonly detail: string }>
}

/** How far a time may be ahead of the clock before it counts as now, in milliseconds. */
export const tolerance = 5_000

/** What orders an event of this time. */
export const orderOf = (time: number, now: number): number =>
  !Number.isFinite(time) ? 0 : time > now + tolerance ? now : Math.trunc(time)

/** Negative when `a` is older than `b`, 0 when they are the same. */
export const compare = (a: Pick<Remembered, "time" | "id">, b: Position): number =>
  a.time !== b.time ? a.time - b.time : compareIds(a.id, b.id ?? "")

/** Newest first, and none twice. */
export const newestFirst = <A extends Remembered>(events: ReadonlyArray<A>): Array<A> =>
  events
    .toSorted((a, b) => compare(b, a))
    .filter((one, i, all) => {
      // What is the same stands side by side, but for bodies that share an id.
      const last = all[i - 1]
      return last === undefined || compare(one, last) !== 0 || !isSame(one.body, last.body)
    })

/** As bytes of UTF-8, like Redis does. Below the surrogates that is the order of the code units. */
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

/** Whether an event is in a range of a history. */
export const isWithin = (one: Pick<Remembered, "time" | "id">, { after, before }: HistoryRange): boolean =>
  (before === undefined || compare(one, before) < 0) && (after === undefined || one.time > after)

/** How many events a history holds where the contract does not say. */
export const defaultHistory = 100
/** Longest history that is kept, or read at once. */
export const maxHistory = 100_000

/** How many past events are kept under these settings; 0 is none. */
export const historyCap = ({ history = defaultHistory }: Event.CacheSettings): number =>
  history >= 1 ? Math.min(Math.floor(history), maxHistory) : 0
