/**
 * `CacheStore` over Redis. Writing is a call that returns at once (WriteBehind.ts); reading is one
 * command with a deadline, merged with what this process has not written yet. Redis in any state costs
 * a publish nothing and a read its deadline; what is lost then is counted, not repaired: the cache is
 * advisory.
 */
import { Clock, Effect, Layer, Option } from "effect"
import { randomBytes } from "node:crypto"
import type { BrokerError } from "../bus/BrokerError.ts"
import { CacheCorrupt, type CacheEntry, CacheError, type CacheStore, EventCache } from "../bus/EventCache.ts"
import { type Batch, historyCap, plan } from "./Batch.ts"
import * as Backlog from "./Backlog.ts"
import * as Keys from "./Keys.ts"
import * as RedisClient from "./RedisClient.ts"
import { isPassing, reasonOf, type RedisReason } from "./RedisError.ts"
import type { RedisOptions } from "./RedisSettings.ts"
import * as Scripts from "./Scripts.ts"
import * as WriteBehind from "./WriteBehind.ts"

export interface RedisCacheStats {
  /** Entries that Redis has. */
  readonly written: number
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

/** Longest history that is kept or read at once. */
const maxHistory = 100_000

/** The store on a client of its own, until the scope ends. */
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
  const writer = randomBytes(9).toString("base64url")
  let coalesced = 0
  let commands = 0
  // Why the last batch was not taken; undefined when it was.
  let trouble: RedisReason | undefined

  const send = (entries: ReadonlyArray<Backlog.Buffered>): Effect.Effect<ReadonlyArray<Backlog.Fate>> =>
    Effect.suspend(() => {
      const batch = plan(entries, { keys, writer, now: clock.currentTimeMillisUnsafe() })
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
    lastKey: (entry) => keys.last(entry.event, entry.key),
    send,
    hopeless: () => client.status()._tag === "Down"
  })

  const isAlive = ({ at, entry }: Backlog.Buffered): boolean =>
    entry.settings.ttl === undefined || clock.currentTimeMillisUnsafe() < at + entry.settings.ttl

  const last: CacheStore["last"] = (event, key) =>
    Effect.suspend(() => {
      const name = keys.last(event, key)
      const found = buffer.newest(name)
      const own = found !== undefined && isAlive(found) ? found : undefined
      return client
        .use((redis) => redis.getBuffer(name))
        .pipe(
          Effect.flatMap((value) => {
            if (value === null) return Effect.succeed(Option.fromUndefinedOr(own?.entry.body))
            const held = Scripts.parseLast(value)
            if (held === undefined) return Effect.fail(foreign(event, "it was not written by this library"))
            return Effect.succeedSome(
              own !== undefined && Backlog.isNewer(own, held) ? own.entry.body : held.entry.body
            )
          }),
          // Without Redis the own write is the last event that this process knows.
          Effect.catch((error) => (own !== undefined ? Effect.succeedSome(own.entry.body) : Effect.fail(error)))
        )
    })

  const history: CacheStore["history"] = (event, { key, limit }) =>
    Effect.suspend(() => {
      const count = Math.min(Math.floor(limit), maxHistory)
      if (!(count >= 1)) return Effect.succeed([])
      const isAsked = (entry: CacheEntry): boolean =>
        entry.event === event &&
        historyCap(entry) > 0 &&
        (key === undefined || (entry.settings.perKey === true && entry.key === key))
      const own = buffer
        .all()
        .filter(({ entry }) => isAsked(entry))
        .reverse()
      const name = key === undefined ? keys.history(event) : keys.keyHistory(event, key)
      return client
        .use((redis) => redis.xrevrangeBuffer(name, "+", "-", "COUNT", count))
        .pipe(
          Effect.flatMap((rows) => {
            const held: Array<Buffer> = []
            // A batch on its way is in here and may be there already.
            const mine = new Set(own.map(({ number }) => `${writer}.${number}`))
            for (const [, [, tag, , body]] of rows) {
              if (tag === undefined || body === undefined)
                return Effect.fail(foreign(event, "its history was not written by this library"))
              if (!mine.has(tag.toString("utf8"))) held.push(body)
            }
            const cap = own[0] === undefined ? count : Math.min(count, historyCap(own[0].entry))
            return Effect.succeed([...own.map(({ entry }) => entry.body), ...held].slice(0, cap))
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
    history,
    probe,
    stats: () => ({ ...buffer.counts(), coalesced, commands })
  }
  return store
})

/** An entry is written when all of its commands are, and lost when one of them never will be. */
const fatesOf = (
  entries: ReadonlyArray<Backlog.Buffered>,
  batch: Batch,
  reasons: ReadonlyArray<RedisReason | undefined>
): ReadonlyArray<Backlog.Fate> => {
  const fates = new Map<Backlog.Buffered, Backlog.Fate>()
  reasons.forEach((reason, i) => {
    if (reason === undefined) return
    const fate = isPassing(reason) ? "retry" : "refused"
    for (const entry of batch.calls[i]?.entries ?? []) if (fates.get(entry) !== "retry") fates.set(entry, fate)
  })
  return entries.map((entry) => fates.get(entry) ?? "written")
}

const foreign = (event: string, detail: string): CacheError =>
  new CacheError({ reason: new CacheCorrupt({ event, detail }) })
