/**
 * Takes entries at once and gets them written later: the publish that brought them goes on. One fiber
 * sends what came together within 20 ms (100 ms under load), one batch at a time, and what was not taken
 * waits, in its order, for another try. On close it has the part of a drain that is left for closing (2
 * of 25 seconds); what is left then is dropped, counted and logged.
 */
import { Clock, Effect, Latch, Random } from "effect"
import { split, within } from "../bus/Budget.ts"
import type { CacheEntry } from "../bus/CacheStore.ts"
import { CurrentShutdown } from "../bus/Shutdown.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"
import * as Backlog from "./Backlog.ts"

export interface Options {
  /** Sends a batch; a fate for each entry. */
  readonly send: (batch: ReadonlyArray<Backlog.Buffered>) => Effect.Effect<ReadonlyArray<Backlog.Fate>>
  /** Whether it makes no sense to go on trying when the process ends. */
  readonly hopeless: () => boolean
  readonly maxEntries?: number
  readonly maxBytes?: number
}

export interface WriteBehind extends Pick<Backlog.Backlog, "all" | "newest" | "counts"> {
  /** Never throws and never waits. */
  readonly write: (entry: CacheEntry) => void
}

const defaultDrain = 25_000

/**
 * Writes of so long go together: of a key the last one alone, of a history what it keeps. Under load that is a
 * tenth of the commands that one pipeline for each turn of the event loop costs.
 */
const lingerMillis = 20
const lingerMillisUnderLoad = 100
/** So many after the first wait are load. */
const many = 200
/** From here up nothing is gained by waiting. */
const plenty = 1_000

export const make = Effect.fnUntraced(function* (options: Options) {
  const clock = yield* Clock.Clock
  const shutdown = yield* CurrentShutdown
  const dropped = Meter.bind(Metrics.cacheDropped, yield* Effect.context<never>())
  const backlog = Backlog.make(options.maxEntries ?? 10_000, options.maxBytes ?? 16 * 1024 * 1024, dropped.update)
  const work = Latch.makeUnsafe(false)
  let closed = false

  /** One batch; whether it is settled. What was on its way when the fiber ended is not lost. */
  const sendOne = Effect.suspend(() => {
    const batch = backlog.cut()
    return options.send(batch).pipe(
      Effect.catchDefect((defect) =>
        // A fault of ours with these entries must not end the writing of all others.
        Effect.as(
          Effect.logError("events could not be cached", defect),
          batch.map((): Backlog.Fate => "refused")
        )
      ),
      Effect.map(backlog.settle),
      Effect.onInterrupt(() => Effect.sync(() => void backlog.settle([])))
    )
  })

  const pump = Effect.gen(function* () {
    for (let faults = 0; ;) {
      if (backlog.size() === 0) work.closeUnsafe()
      yield* work.await
      yield* Effect.yieldNow
      if (backlog.size() < plenty) yield* Effect.sleep(lingerMillis)
      if (backlog.size() > many && backlog.size() < plenty) yield* Effect.sleep(lingerMillisUnderLoad - lingerMillis)
      faults = (yield* sendOne) ? 0 : faults + 1
      if (faults > 0) yield* Effect.sleep(20 + Math.min(1_000, 25 * 2 ** faults) * (yield* Random.next))
    }
  })

  const drain = Effect.gen(function* () {
    while (backlog.size() > 0) {
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
      const lost = backlog.abandon()
      if (lost > 0)
        yield* Effect.logWarning(`the cache missed ${lost} events: Redis did not take them before the process ended`)
    })
  )
  yield* Effect.forkScoped(pump)

  const result: WriteBehind = {
    write: (entry) => {
      if (closed) return backlog.refuse()
      backlog.add(entry, clock.currentTimeMillisUnsafe())
      work.openUnsafe()
    },
    all: backlog.all,
    newest: backlog.newest,
    counts: backlog.counts
  }
  return result
})
