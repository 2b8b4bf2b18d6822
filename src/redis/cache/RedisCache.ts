/**
 * `CacheStore` over Redis. Writing is a call that returns at once (WriteBehind.ts); reading is one command with a
 * deadline, merged with what this process has not written yet. Redis in any state costs a publish nothing and a read
 * its deadline. What is lost then is counted, not repaired: the cache is advisory.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { CacheError } from "../../bus/port/CacheError.ts"
import { compare, maxHistory } from "../../bus/port/CacheOrder.ts"
import { CacheStore, type HistoryRange, type Remembered } from "../../bus/port/CacheStore.ts"
import * as Keys from "../connection/Keys.ts"
import * as RedisClient from "../connection/RedisClient.ts"
import { reasonOf, type RedisReason } from "../connection/RedisError.ts"
import type { RedisOptions } from "../connection/RedisSettings.ts"
import * as Scripts from "../connection/Scripts.ts"
import * as Encoding from "./Encoding.ts"
import * as HistoryReads from "./HistoryReads.ts"
import type { PendingWrite } from "./PendingWrite.ts"
import * as WriteBehind from "./WriteBehind.ts"
import type { Counts } from "./WriteBuffer.ts"
import { outcomesOf, type WriteOutcome } from "./WriteOutcome.ts"
import { plan } from "./WritePlan.ts"

export interface RedisCacheStats extends Counts {
  /** Last-known writes saved because a newer one of the same key was in the same batch. */
  readonly coalesced: number
  /** Commands sent for writing. */
  readonly commands: number
}

export interface RedisCacheStore extends Omit<CacheStore["Service"], "stats"> {
  readonly stats: () => RedisCacheStats
}

/** Bounds of what may wait to be written. */
export type BufferOptions = Pick<WriteBehind.Options, "maxEntries" | "maxBytes">

export interface RedisCacheOptions extends RedisOptions, BufferOptions {}

/** On a client of its own, until the scope ends. */
export const make = Effect.fnUntraced(function* (options: RedisCacheOptions) {
  return yield* fromClient(yield* RedisClient.make(options), options)
})

export const layer = (options: RedisCacheOptions): Layer.Layer<CacheStore, BrokerError> =>
  Layer.effect(CacheStore, make(options))

/** On a client that others use too. */
export const layerOnClient: Layer.Layer<CacheStore, never, RedisClient.RedisClient> = Layer.effect(
  CacheStore,
  Effect.suspend(() => Effect.flatMap(RedisClient.RedisClient, (client) => fromClient(client)))
)

export const fromClient = (
  client: RedisClient.RedisClient["Service"],
  options: BufferOptions = {}
): Effect.Effect<RedisCacheStore, never, Scope.Scope> =>
  Effect.gen(function* () {
    const now = yield* Monotonic.make
    const writer = new BatchWriter(client, now)
    const buffer = yield* WriteBehind.make({
      ...options,
      send: (batch) => Effect.suspend(() => writer.send(batch)),
      hopeless: () => client.status()._tag === "Down"
    })
    return new Store(client, now, buffer, writer)
  })

/** Sends batches, and remembers why the last one was not taken. */
class BatchWriter {
  coalesced = 0
  commands = 0
  /** Undefined when the last batch was taken. */
  trouble: RedisReason | undefined
  private readonly client: RedisClient.RedisClient["Service"]
  private readonly now: Monotonic.Monotonic
  private readonly keys: Keys.Keys

  constructor(client: RedisClient.RedisClient["Service"], now: Monotonic.Monotonic) {
    this.client = client
    this.now = now
    this.keys = Keys.make(client.prefix)
  }

  send(entries: ReadonlyArray<PendingWrite>): Effect.Effect<ReadonlyArray<WriteOutcome>> {
    const batch = plan(entries, { keys: this.keys, now: this.now() })
    const sent = this.client.use((redis) => {
      this.commands += batch.calls.length
      return Scripts.run(redis, batch.calls)
    })
    return sent.pipe(
      Effect.map((errors) => {
        const { address } = this.client
        const reasons = errors.map((error) => (error === undefined ? undefined : reasonOf(error, address)))
        this.trouble = reasons.find((reason) => reason !== undefined)
        this.coalesced += batch.coalesced
        return outcomesOf(entries, batch, reasons)
      }),
      Effect.catch((error) =>
        Effect.sync(() => {
          if (error.reason._tag === "Unavailable" || error.reason._tag === "Refused") this.trouble = error.reason
          return entries.map((): WriteOutcome => "retry")
        })
      )
    )
  }
}

class Store implements RedisCacheStore {
  private readonly client: RedisClient.RedisClient["Service"]
  private readonly now: Monotonic.Monotonic
  private readonly buffer: WriteBehind.WriteBehind
  private readonly writer: BatchWriter
  private readonly keys: Keys.Keys
  readonly write: RedisCacheStore["write"]

  constructor(
    client: RedisClient.RedisClient["Service"],
    now: Monotonic.Monotonic,
    buffer: WriteBehind.WriteBehind,
    writer: BatchWriter
  ) {
    this.client = client
    this.now = now
    this.buffer = buffer
    this.writer = writer
    this.keys = Keys.make(client.prefix)
    this.write = buffer.write
  }

  readonly last = (event: string, key: string): Effect.Effect<Option.Option<Remembered>, CacheError> =>
    Effect.suspend(() => {
      const name = this.keys.last(event, key)
      const own = this.ownLast(event, key)
      return this.client
        .use((redis) => redis.getBuffer(name))
        .pipe(
          Effect.flatMap((value) => newer(event, value, own)),
          // Without Redis the own write is the last event that this process knows.
          Effect.catch((error) => (own !== undefined ? Effect.succeed(own) : Effect.fail(error))),
          Effect.map(Option.fromUndefinedOr)
        )
    })

  readonly lastMany = (
    event: string,
    wanted: ReadonlyArray<string>
  ): Effect.Effect<ReadonlyArray<Remembered | undefined>, CacheError> =>
    Effect.suspend(() => {
      if (wanted.length === 0) return Effect.succeed([])
      const names = wanted.map((key) => this.keys.last(event, key))
      const own = wanted.map((key) => this.ownLast(event, key))
      return this.client
        .use((redis) => Scripts.getMany(redis, names))
        .pipe(
          Effect.flatMap((values) => Effect.forEach(values, (value, i) => newer(event, value, own[i]))),
          Effect.catch((error) => (own.some((one) => one === undefined) ? Effect.fail(error) : Effect.succeed(own)))
        )
    })

  readonly history = (event: string, range: HistoryRange): Effect.Effect<ReadonlyArray<Remembered>, CacheError> =>
    Effect.suspend(() => {
      const limit = Math.min(Math.floor(range.limit), maxHistory)
      const { after, before, key } = range
      if (!(limit >= 1) || Number.isNaN(before?.time) || Number.isNaN(after)) return Effect.succeed([])
      const name = key === undefined ? this.keys.history(event) : this.keys.keyHistory(event, key)
      const pending = HistoryReads.pendingOf(this.buffer.all(), event, key)
      return HistoryReads.merged(pending, range, limit, (asked, count) =>
        HistoryReads.rowsOf(this.client, event, name, asked, count)
      )
    })

  readonly probe: CacheStore["Service"]["probe"] = Effect.suspend(() => {
    const { buffered, dropped } = this.buffer.counts()
    const waits = `${buffered} events wait to be written, ${dropped} were dropped`
    return this.client
      .use((redis) => redis.ping())
      .pipe(
        Effect.match({
          onSuccess: () => {
            const { trouble } = this.writer
            return trouble === undefined
              ? { status: "up" as const, detail: `${this.client.address} answers; ${waits}` }
              : { status: "degraded" as const, detail: `${trouble.message}; ${waits}` }
          },
          onFailure: (error) => ({ status: "degraded" as const, detail: `${error.message}; ${waits}` })
        })
      )
  })

  readonly stats = (): RedisCacheStats => ({
    ...this.buffer.counts(),
    coalesced: this.writer.coalesced,
    commands: this.writer.commands
  })

  /** What this process has to write for an event and key. */
  private ownLast(event: string, key: string): Remembered | undefined {
    const found = this.buffer.newest(event, key)
    return found !== undefined && this.isAlive(found) ? found : undefined
  }

  private isAlive({ at, entry }: PendingWrite): boolean {
    const { timeToLiveMillis } = entry.settings
    return timeToLiveMillis === undefined || this.now() < at + timeToLiveMillis
  }
}

/** The newer of what Redis holds and what this process has to write. */
const newer = (
  event: string,
  value: Buffer | null,
  own: Remembered | undefined
): Effect.Effect<Remembered | undefined, CacheError> => {
  if (value === null) return Effect.succeed(own)
  const held = Encoding.parseLast(value)
  if (held === undefined) return Effect.fail(HistoryReads.foreign(event))
  return Effect.succeed(own !== undefined && compare(own, held) > 0 ? own : held)
}
