/**
 * `CacheStore` over Redis. Writing is a call that returns at once (WriteBehind.ts); reading is one
 * command with a deadline, merged with what this process has not written yet. Redis in any state costs
 * a publish nothing and a read its deadline; what is lost then is counted, not repaired: the cache is
 * advisory.
 */
import { Clock, Effect, Layer, Option } from "effect"
import type { BrokerError } from "../bus/BrokerError.ts"
import { CacheCorrupt, CacheError } from "../bus/CacheError.ts"
import {
  type CacheStore,
  compare,
  historyCap,
  type HistoryRange,
  isWithin,
  maxHistory,
  newestFirst,
  type Remembered
} from "../bus/CacheStore.ts"
import { EventCache } from "../bus/EventCache.ts"
import { isSame } from "../event/Body.ts"
import { type Batch, plan } from "./Batch.ts"
import type * as Backlog from "./Backlog.ts"
import * as Keys from "./Keys.ts"
import * as Layout from "./Layout.ts"
import * as RedisClient from "./RedisClient.ts"
import { isPassing, reasonOf, type RedisReason } from "./RedisError.ts"
import type { RedisOptions } from "./RedisSettings.ts"
import * as Scripts from "./Scripts.ts"
import * as WriteBehind from "./WriteBehind.ts"

export interface RedisCacheStats {
  /** Entries that Redis has. */
  readonly written: number
  /** Entries that newer ones made needless while they waited: of a key the last is kept, and what histories hold. */
  readonly superseded: number
  /** Last-known writes saved because a newer one of the same key went in the same batch. */
  readonly coalesced: number
  /** Entries lost: the buffer was full, Redis refused them for good, or the process ended. */
  readonly dropped: number
  /** Batches that Redis did not take in full. */
  readonly failures: number
  /** Entries that wait. */
  readonly buffered: number
  /** Commands sent for writing. */
  readonly commands: number
}

export interface RedisCacheStore extends CacheStore {
  readonly stats: () => RedisCacheStats
}

export interface RedisCacheOptions extends RedisOptions {
  /** Entries that may wait to be written. Default 10,000. */
  readonly maxEntries?: number
  /** Bytes that may wait to be written. Default 16 MiB. */
  readonly maxBytes?: number
}

/** The store on a client of its own, until the scope ends. */
/** Up to here a page of a history is cut out of all of it while something of it waits to be written. */
const maxMerged = 1_000

export const make = Effect.fnUntraced(function* (options: RedisCacheOptions) {
  return yield* fromClient(yield* RedisClient.make(options), options)
})

export const layer = (options: RedisCacheOptions): Layer.Layer<EventCache, BrokerError> =>
  Layer.effect(EventCache, Effect.map(make(options), EventCache.fromStore))

/** On a client that others use too. */
export const layerOnClient: Layer.Layer<EventCache, never, RedisClient.RedisClient> = Layer.effect(
  EventCache,
  Effect.suspend(() => Effect.flatMap(RedisClient.RedisClient, fromClient)).pipe(Effect.map(EventCache.fromStore))
)

export const fromClient = Effect.fnUntraced(function* (
  client: RedisClient.RedisClient["Service"],
  options: Pick<RedisCacheOptions, "maxEntries" | "maxBytes"> = {}
) {
  const clock = yield* Clock.Clock
  const keys = Keys.make(client.prefix)
  let coalesced = 0
  let commands = 0
  // Why the last batch was not taken; undefined when it was.
  let trouble: RedisReason | undefined

  const send = (entries: ReadonlyArray<Backlog.Buffered>): Effect.Effect<ReadonlyArray<Backlog.Fate>> =>
    Effect.suspend(() => {
      const batch = plan(entries, { keys, now: clock.currentTimeMillisUnsafe() })
      return client
        .use((redis) => {
          commands += batch.calls.length
          return Scripts.run(redis, batch.calls)
        })
        .pipe(
          Effect.map((errors) => {
            const reasons = errors.map((error) => (error === undefined ? undefined : reasonOf(error, client.address)))
            trouble = reasons.find((reason) => reason !== undefined)
            coalesced += batch.coalesced
            return fatesOf(entries, batch, reasons)
          }),
          Effect.catch((error) =>
            Effect.sync(() => {
              if (error.reason._tag !== "Corrupt") trouble = error.reason
              return entries.map((): Backlog.Fate => "retry")
            })
          )
        )
    })

  const buffer = yield* WriteBehind.make({
    ...options,
    send,
    hopeless: () => client.status()._tag === "Down"
  })

  const isAlive = ({ at, entry }: Backlog.Buffered): boolean =>
    entry.settings.ttl === undefined || clock.currentTimeMillisUnsafe() < at + entry.settings.ttl

  /** What this process has to write for an event and key. */
  const ownLast = (event: string, key: string): Remembered | undefined => {
    const found = buffer.newest(event, key)
    return found !== undefined && isAlive(found) ? found : undefined
  }
  const newer = (event: string, value: Buffer | null, own: Remembered | undefined) => {
    if (value === null) return Effect.succeed(own)
    const held = Layout.parseLast(value)
    if (held === undefined) return Effect.fail(foreign(event))
    return Effect.succeed(own !== undefined && compare(own, held) > 0 ? own : held)
  }

  const last: CacheStore["last"] = (event, key) =>
    Effect.suspend(() => {
      const name = keys.last(event, key)
      const own = ownLast(event, key)
      return client
        .use((redis) => redis.getBuffer(name))
        .pipe(
          Effect.flatMap((value) => newer(event, value, own)),
          // Without Redis the own write is the last event that this process knows.
          Effect.catch((error) => (own !== undefined ? Effect.succeed(own) : Effect.fail(error))),
          Effect.map(Option.fromUndefinedOr)
        )
    })

  const lastMany: CacheStore["lastMany"] = (event, wanted) =>
    Effect.suspend(() => {
      if (wanted.length === 0) return Effect.succeed([])
      const names = wanted.map((key) => keys.last(event, key))
      const own = wanted.map((key) => ownLast(event, key))
      return client
        .use((redis) => Scripts.getMany(redis, names))
        .pipe(
          Effect.flatMap((values) => Effect.forEach(values, (value, i) => newer(event, value, own[i]))),
          Effect.catch((error) => (own.some((one) => one === undefined) ? Effect.fail(error) : Effect.succeed(own)))
        )
    })

  const history: CacheStore["history"] = (event, range) =>
    Effect.suspend(() => {
      const limit = Math.min(Math.floor(range.limit), maxHistory)
      const { after, before, key } = range
      if (!(limit >= 1) || Number.isNaN(before?.time) || Number.isNaN(after)) return Effect.succeed([])
      const name = key === undefined ? keys.history(event) : keys.keyHistory(event, key)
      const mine = buffer
        .all()
        .filter(
          ({ entry: { event: of, key: its, settings } }) =>
            of === event && historyCap(settings) > 0 && (key === undefined || (settings.perKey === true && its === key))
        )
      const latest = mine[mine.length - 1]
      const cap = latest === undefined ? limit : historyCap(latest.entry.settings)
      // What will be pushed out by what waits here is at the end, which is found from the beginning.
      const fromNewest = latest !== undefined && before !== undefined && cap <= maxMerged
      const asked = fromNewest ? { key, limit: cap, after } : range
      return rowsOf(client, event, name, asked, fromNewest ? cap : limit).pipe(
        Effect.map((held) => {
          // A batch on its way is in here, and may be there already.
          const known = new Map(held.map((one) => [one.id, one]))
          const own = mine.filter((one) => {
            const there = known.get(one.id)
            return isWithin(one, asked) && (there === undefined || !isSame(there.body, one.body))
          })
          const all = own.length === 0 ? held : newestFirst([...own, ...held])
          if (fromNewest)
            return all
              .slice(0, cap)
              .filter((one) => isWithin(one, range))
              .slice(0, limit)
          return all.slice(0, before === undefined ? Math.min(limit, cap) : limit)
        })
      )
    })

  const probe: CacheStore["probe"] = Effect.suspend(() => {
    const waits = `${buffer.counts().buffered} events wait to be written, ${buffer.counts().dropped} were dropped`
    return client
      .use((redis) => redis.ping())
      .pipe(
        Effect.match({
          onSuccess: () =>
            trouble === undefined
              ? { status: "up" as const, detail: `${client.address} answers; ${waits}` }
              : { status: "degraded" as const, detail: `${trouble.message}; ${waits}` },
          onFailure: (error) => ({ status: "degraded" as const, detail: `${error.message}; ${waits}` })
        })
      )
  })

  const store: RedisCacheStore = {
    write: buffer.write,
    last,
    lastMany,
    history,
    probe,
    stats: () => ({ ...buffer.counts(), coalesced, commands })
  }
  return store
})

/** Of several fates the last here. */
const order: ReadonlyArray<Backlog.Fate> = ["written", "refused", "later", "retry"]

/** An entry is written when all of its commands are, and lost when one of them never will be. */
const fatesOf = (
  entries: ReadonlyArray<Backlog.Buffered>,
  batch: Batch,
  reasons: ReadonlyArray<RedisReason | undefined>
): ReadonlyArray<Backlog.Fate> => {
  const fates = new Map<Backlog.Buffered, Backlog.Fate>()
  reasons.forEach((reason, i) => {
    if (reason === undefined) return
    const fate = reason._tag === "Unavailable" ? "retry" : isPassing(reason) ? "later" : "refused"
    for (const entry of batch.calls[i]?.entries ?? [])
      if (order.indexOf(fate) > order.indexOf(fates.get(entry) ?? "written")) fates.set(entry, fate)
  })
  return entries.map((entry) => fates.get(entry) ?? "written")
}

/** What Redis has of a history. A place within one millisecond is found by reading that millisecond. */
const rowsOf = Effect.fnUntraced(function* (
  client: RedisClient.RedisClient["Service"],
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
      const one = value === undefined || score === undefined ? undefined : Layout.parseMember(value, score)
      if (one === undefined) return yield* foreign(event)
      if (isWithin(one, range)) found.push(one)
    }
    if (found.length >= limit || replies.length < 2 * count) return found.slice(0, limit)
  }
})

const foreign = (event: string): CacheError =>
  new CacheError({ reason: new CacheCorrupt({ event, detail: "it was not written by this library" }) })
