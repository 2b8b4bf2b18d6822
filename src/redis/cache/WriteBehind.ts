/**
 * Takes entries at once and writes them later, so that a publish never waits for Redis. One fiber sends what arrived
 * within 20 ms (100 ms under load), one batch at a time; what was not taken waits, in its order, for another try. On
 * close it has the part of a drain that is left for closing (2 of 25 seconds); what is left then is dropped,
 * counted and logged.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { CacheEntry } from "../../bus/port/CacheStore.ts"
import * as Backoff from "../../bus/support/Backoff.ts"
import { split, within } from "../../bus/support/DrainBudget.ts"
import { CurrentShutdown } from "../../bus/support/Shutdown.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import type { PendingWrite } from "./PendingWrite.ts"
import { type Counts, WriteBuffer } from "./WriteBuffer.ts"
import type { WriteOutcome } from "./WriteOutcome.ts"

export interface Options {
  /** Sends a batch, and returns an outcome for each entry. */
  readonly send: (batch: ReadonlyArray<PendingWrite>) => Effect.Effect<ReadonlyArray<WriteOutcome>>
  /** Whether there is no point in trying on when the process ends. */
  readonly hopeless: () => boolean
  /** Entries that may wait. Default 10,000. */
  readonly maxEntries?: number
  /** Bytes that may wait. Default 16 MiB. */
  readonly maxBytes?: number
}

export interface WriteBehind {
  /** Never throws and never waits. */
  readonly write: (entry: CacheEntry) => void
  /** Everything that waits or is in flight, oldest first. */
  readonly all: () => ReadonlyArray<PendingWrite>
  readonly newest: (event: string, key: string) => PendingWrite | undefined
  readonly counts: () => Counts
}

const defaultDrain = 25_000

/**
 * Writes within this time are sent together: of a key only the last, of a history what it keeps. Under load that is a
 * tenth of the commands of one pipeline for each turn of the event loop.
 */
const lingerMillis = 20
const lingerMillisUnderLoad = 100
/** More than this after the first wait is load. */
const many = 200
/** From here up nothing is gained by waiting. */
const plenty = 1_000

const backoff: Backoff.Backoff = { baseMillis: 25, capMillis: 1_000, jitter: "full", leastMillis: 20 }

export const make = Effect.fnUntraced(function* (options: Options) {
  const clock = yield* Clock.Clock
  const monotonic = Monotonic.of(clock)
  const shutdown = yield* CurrentShutdown
  const dropped = Meter.series(Metrics.cacheDropped, yield* Effect.context<never>())
  const buffer = new WriteBuffer({
    maxEntries: options.maxEntries ?? 10_000,
    maxBytes: options.maxBytes ?? 16 * 1024 * 1024,
    onDropped: dropped.update
  })
  const work = Latch.makeUnsafe(false)
  let closed = false

  /** Sends one batch; succeeds with whether it is settled. An interruption leaves it in the buffer. */
  const sendOne = Effect.suspend(() => {
    const batch = buffer.cut()
    return options.send(batch).pipe(
      Effect.catchDefect((defect) =>
        // A mistake of ours with these entries must not end the writing of all others.
        Effect.as(
          Effect.logError("events could not be cached", defect),
          batch.map((): WriteOutcome => "refused")
        )
      ),
      Effect.map((outcomes) => buffer.settle(outcomes)),
      Effect.onInterrupt(() => Effect.sync(() => void buffer.settle([])))
    )
  })

  const pump = Effect.gen(function* () {
    for (let failures = 0; ;) {
      if (buffer.size() === 0) work.closeUnsafe()
      yield* work.await
      yield* Effect.yieldNow
      if (buffer.size() < plenty) yield* Effect.sleep(lingerMillis)
      if (buffer.size() > many && buffer.size() < plenty) yield* Effect.sleep(lingerMillisUnderLoad - lingerMillis)
      failures = (yield* sendOne) ? 0 : failures + 1
      if (failures > 0) yield* Backoff.wait(backoff, failures)
    }
  })

  const drain = Effect.gen(function* () {
    while (buffer.size() > 0) {
      if (yield* sendOne) continue
      if (options.hopeless()) return
      yield* Effect.sleep(25)
    }
  })

  // Runs after the pump was interrupted and before the client is gone.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      closed = true
      yield* within(split(Math.min(shutdown.budget ?? defaultDrain, defaultDrain)).close, drain)
      const lost = buffer.abandon()
      if (lost > 0)
        yield* Effect.logWarning(`the cache missed ${lost} events: Redis did not take them before the process ended`)
    })
  )
  yield* Effect.forkScoped(pump)

  const result: WriteBehind = {
    write: (entry) => {
      if (closed) return buffer.refuse()
      buffer.add(entry, clock.currentTimeMillisUnsafe(), monotonic())
      work.openUnsafe()
    },
    all: () => buffer.all(),
    newest: (event, key) => buffer.newest(event, key),
    counts: () => buffer.counts()
  }
  return result
})
