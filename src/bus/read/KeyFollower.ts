/**
 * Follows the last event of one key: merges the event in the cache and the live deliveries into one sequence, in
 * which no event is older than the one before it.
 *
 * The live subscription is open before the cache is read, and deliveries meanwhile wait for the answer, so nothing
 * falls between the two. The cache is read again when the subscription was interrupted, a second after that, and
 * every half minute: other processes write behind their publishes, and Redis may be away.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import type * as Envelope from "../../event/Envelope.ts"
import * as Identity from "../../event/Identity.ts"
import type { CacheError } from "../port/CacheError.ts"
import { compare, orderOf } from "../port/CacheOrder.ts"
import type { Position } from "../port/CacheStore.ts"
import * as Backoff from "../support/Backoff.ts"

/** An event with its place in the order. */
export interface Placed<Name extends string, A> {
  readonly time: number
  readonly id: string
  readonly event: Envelope.Envelope<Name, A>
}

export interface KeyFollower<Name extends string, A> {
  /** Called with each live delivery. */
  readonly deliver: (event: Envelope.Envelope<Name, A>) => void
  /** Called when deliveries may have been missed. */
  readonly missed: () => void
  /** Reads the cache whenever that is needed. */
  readonly follow: Effect.Effect<never>
}

/** Deliveries that wait for the cache to answer; beyond this many the oldest are dropped. */
const maxHeld = 1_024
/** Identities known besides the order: processes may correct a clock that runs ahead differently. */
const maxRecent = 64
/** By then a healthy publisher has written its last event to the cache. */
const settledMillis = 1_000
const refreshMillis = 30_000
// Jitter in each case: processes that lost Redis together must not come back together.
const retrying: Backoff.Backoff = { baseMillis: 200, capMillis: refreshMillis, jitter: "around" }
const settling: Backoff.Backoff = { ...retrying, baseMillis: settledMillis }
const refreshing: Backoff.Backoff = { ...retrying, baseMillis: refreshMillis }

/** Emits events in their order, each of them once. */
class OrderedSequence<Name extends string, A> {
  private readonly emit: (event: Envelope.Envelope<Name, A>) => void
  private readonly recent = new Set<string>()
  private newest: Position | undefined
  /** Deliveries that wait while the cache is read. */
  private held: Array<Placed<Name, A>> | undefined = []

  constructor(emit: (event: Envelope.Envelope<Name, A>) => void) {
    this.emit = emit
  }

  deliver(placed: Placed<Name, A>): void {
    if (this.held === undefined) return this.pass(placed, false)
    this.held.push(placed)
    if (this.held.length > maxHeld) this.held.shift()
  }

  /** Deliveries wait from now on until the cache has answered. */
  hold(): void {
    this.held ??= []
  }

  /** Passes the deliveries that waited, with the event that the cache had. */
  release(cached: Placed<Name, A> | undefined): void {
    const held = this.held ?? []
    this.held = undefined
    const all = cached === undefined ? held : [...held, cached]
    for (const placed of all.sort(compare)) this.pass(placed, placed === cached)
  }

  private pass(placed: Placed<Name, A>, isCached: boolean): void {
    const { newest, recent } = this
    const order = newest === undefined ? 1 : compare(placed, newest)
    const identity = Identity.isKnown(placed.event) ? Identity.textOf(placed.event) : undefined
    // Events of two sources may share time and id. Without an identity only the cache repeats itself.
    const isKnown = identity === undefined ? isCached && order === 0 : recent.has(identity)
    if (order < 0 || isKnown) return
    this.newest = { time: placed.time, id: placed.id }
    if (identity !== undefined) recent.add(identity)
    for (const one of recent) if (recent.size > maxRecent) recent.delete(one)
    this.emit(placed.event)
  }
}

export const make = Effect.fnUntraced(function* <Name extends string, A>(parts: {
  /** Reads the event in the cache; undefined if there is none. */
  readonly read: Effect.Effect<Placed<Name, A> | undefined, CacheError>
  readonly emit: (event: Envelope.Envelope<Name, A>) => void
  /** Called with the first of several failed reads in a row. */
  readonly onTrouble: (error: CacheError) => void
}) {
  const { emit, onTrouble, read } = parts
  const clock = yield* Clock.Clock
  const gap = Latch.makeUnsafe(false)
  const sequence = new OrderedSequence(emit)

  const follow = Effect.gen(function* () {
    let [rounds, failures] = [0, 0]
    for (;;) {
      const found = yield* Effect.result(read)
      sequence.release(Result.getOrUndefined(found))
      if (Result.isFailure(found) && failures++ === 0) onTrouble(found.failure)
      if (Result.isSuccess(found)) failures = 0
      const pause =
        failures > 0 ? Backoff.wait(retrying, failures - 1) : Backoff.wait(rounds++ === 0 ? settling : refreshing, 0)
      const isInterrupted = yield* Effect.raceFirst(Effect.as(gap.await, true), Effect.as(pause, false))
      if (!isInterrupted) continue
      gap.closeUnsafe()
      sequence.hold()
      rounds = 0
    }
  })

  const follower: KeyFollower<Name, A> = {
    deliver: (event) =>
      sequence.deliver({
        time: orderOf(event.time.getTime(), clock.currentTimeMillisUnsafe()),
        id: event.id,
        event
      }),
    missed: () => {
      sequence.hold()
      gap.openUnsafe()
    },
    follow
  }
  return follower
})
