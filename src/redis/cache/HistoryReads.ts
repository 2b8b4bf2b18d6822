/**
 * Reads a history from Redis and merges it with what this process has not written yet, so that a process sees its own
 * writes and a page looks as it will when they are written.
 */
import * as Effect from "effect/Effect"
import { CacheError } from "../../bus/port/CacheError.ts"
import { CacheCorrupt } from "../../bus/port/CacheReason.ts"
import { historyCap, isWithin, newestFirst } from "../../bus/port/CacheOrder.ts"
import type { HistoryRange, Remembered } from "../../bus/port/CacheStore.ts"
import { isSame } from "../../event/Body.ts"
import type { RedisClient } from "../connection/RedisClient.ts"
import * as Encoding from "./Encoding.ts"
import type { PendingWrite } from "./PendingWrite.ts"

/** Up to this length a page is cut out of the whole history while a write of it waits. */
const maxMerged = 1_000

/** The pending writes of one history, oldest first. Without a key it is the history of the event over all keys. */
export const pendingOf = (
  pending: ReadonlyArray<PendingWrite>,
  event: string,
  key: string | undefined
): ReadonlyArray<PendingWrite> =>
  pending.filter(
    ({ entry }) =>
      entry.event === event &&
      historyCap(entry.settings) > 0 &&
      (key === undefined || (entry.settings.perKey === true && entry.key === key))
  )

/** Up to `limit` events, newest first: those of Redis, which is read by `read`, and the pending ones. */
export const merged = <E>(
  pending: ReadonlyArray<PendingWrite>,
  range: HistoryRange,
  limit: number,
  read: (range: HistoryRange, limit: number) => Effect.Effect<ReadonlyArray<Remembered>, E>
): Effect.Effect<ReadonlyArray<Remembered>, E> => {
  const { after, before, key } = range
  const latest = pending[pending.length - 1]
  const cap = latest === undefined ? limit : historyCap(latest.entry.settings)
  // What the pending writes will push out is at the end of the history, which is found from its beginning.
  const fromNewest = latest !== undefined && before !== undefined && cap <= maxMerged
  const asked = fromNewest ? { key, limit: cap, after } : range
  return Effect.map(read(asked, fromNewest ? cap : limit), (held) => {
    const all = withPending(held, pending, asked)
    if (!fromNewest) return all.slice(0, before === undefined ? Math.min(limit, cap) : limit)
    return all
      .slice(0, cap)
      .filter((one) => isWithin(one, range))
      .slice(0, limit)
  })
}

const withPending = (
  held: ReadonlyArray<Remembered>,
  pending: ReadonlyArray<PendingWrite>,
  range: HistoryRange
): ReadonlyArray<Remembered> => {
  // A batch in flight is pending and may have arrived already.
  const known = new Map(held.map((one) => [one.id, one]))
  const own = pending.filter((one) => {
    const there = known.get(one.id)
    return isWithin(one, range) && (there === undefined || !isSame(there.body, one.body))
  })
  return own.length === 0 ? held : newestFirst([...own, ...held])
}

/** What Redis has of a history. A position within one millisecond is found by reading that millisecond. */
export const rowsOf = Effect.fnUntraced(function* (
  client: RedisClient["Service"],
  event: string,
  name: string,
  range: HistoryRange,
  limit: number
) {
  const { after, before } = range
  const newest = before === undefined ? "+inf" : before.id === undefined ? `(${before.time}` : String(before.time)
  const oldest = after === undefined ? "-inf" : `(${after}`
  const count = before?.id === undefined ? limit : limit + 1
  const found: Array<Remembered> = []
  for (let offset = 0; ; offset += count) {
    const replies = yield* client.use((redis) =>
      redis.zrevrangebyscoreBuffer(name, newest, oldest, "WITHSCORES", "LIMIT", offset, count)
    )
    for (let i = 0; i + 1 < replies.length; i += 2) {
      const [value, score] = [replies[i], replies[i + 1]]
      const one = value === undefined || score === undefined ? undefined : Encoding.parseMember(value, score)
      if (one === undefined) return yield* foreign(event)
      if (isWithin(one, range)) found.push(one)
    }
    if (found.length >= limit || replies.length < 2 * count) return found.slice(0, limit)
  }
})

/** The value of a key that this library did not write. */
export const foreign = (event: string): CacheError =>
  new CacheError({ reason: new CacheCorrupt({ event, detail: "it was not written by this library" }) })
