/**
 * Follows the last event of one key: what the cache remembers and what is delivered live become one
 * sequence, in which each event is newer than the one before it.
 *
 * The live subscription is open before the cache is read, and what is delivered meanwhile waits for the
 * answer: nothing can fall between them. The cache is read again when the subscription was interrupted,
 * a second after that and every half minute: another process writes behind its publish, and Redis may
 * be away.
 */
import { Clock, Effect, Latch, Random, Result } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import type { CacheError } from "./CacheError.ts"
import { compare, orderOf, type Position } from "./CacheStore.ts"

/** An event with its place in the order. */
export interface Placed<Name extends string, A> {
  readonly time: number
  readonly id: string
  readonly event: Envelope.Envelope<Name, A>
}

export interface Watcher<Name extends string, A> {
  /** An event was delivered. */
  readonly deliver: (event: Envelope.Envelope<Name, A>) => void
  /** Events may have been missed from here on. */
  readonly missed: () => void
  /** Reads the cache as often as it takes. */
  readonly follow: Effect.Effect<never>
}

/** Longest list of events that wait for the cache to answer; beyond it the oldest are forgotten. */
const maxHeld = 1_024
/** Events known by id, besides the order: a clock that runs ahead may be set back differently in each process. */
const maxRecent = 64
/** A healthy publisher has written its last event by then. */
const settledMillis = 1_000
const refreshMillis = 30_000

export const make = Effect.fnUntraced(function* <Name extends string, A>(parts: {
  /** What the cache remembers; undefined for nothing. */
  readonly read: Effect.Effect<Placed<Name, A> | undefined, CacheError>
  readonly emit: (event: Envelope.Envelope<Name, A>) => void
  readonly onTrouble: (error: CacheError) => void
}) {
  const { emit, onTrouble, read } = parts
  const clock = yield* Clock.Clock
  const gap = Latch.makeUnsafe(false)
  const recent = new Set<string>()
  let newest: Position | undefined
  /** What was delivered while the cache is asked. */
  let held: Array<Placed<Name, A>> | undefined = []

  const pass = (placed: Placed<Name, A>): void => {
    if (recent.has(placed.id) || (newest !== undefined && compare(placed, newest) <= 0)) return
    newest = { time: placed.time, id: placed.id }
    recent.add(placed.id)
    for (const id of recent) if (recent.size > maxRecent) recent.delete(id)
    emit(placed.event)
  }
  const release = (found: Placed<Name, A> | undefined): void => {
    const all = found === undefined ? (held ?? []) : [...(held ?? []), found]
    held = undefined
    for (const placed of all.sort(compare)) pass(placed)
  }

  const follow = Effect.gen(function* () {
    let [rounds, failures] = [0, 0]
    for (;;) {
      const found = yield* Effect.result(read)
      release(Result.getOrUndefined(found))
      if (Result.isFailure(found) && failures++ === 0) onTrouble(found.failure)
      if (Result.isSuccess(found)) failures = 0
      const millis =
        failures > 0 ? Math.min(100 * 2 ** failures, refreshMillis) : rounds++ === 0 ? settledMillis : refreshMillis
      // Who lost Redis together must not come back together.
      const wait = Effect.sleep(millis * (0.75 + (yield* Random.next) / 2))
      const interrupted = yield* Effect.raceFirst(Effect.as(gap.await, true), Effect.as(wait, false))
      if (!interrupted) continue
      gap.closeUnsafe()
      held ??= []
      rounds = 0
    }
  })

  const watcher: Watcher<Name, A> = {
    deliver: (event) => {
      const placed = { time: orderOf(event.time.getTime(), clock.currentTimeMillisUnsafe()), id: event.id, event }
      if (held === undefined) return pass(placed)
      held.push(placed)
      if (held.length > maxHeld) held.shift()
    },
    missed: () => {
      held ??= []
      gap.openUnsafe()
    },
    follow
  }
  return watcher
})
