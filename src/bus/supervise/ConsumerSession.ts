/**
 * One consumer of a subscriber, from its opening to its loss or its close. It counts its unsettled deliveries, so
 * that it can be closed when none is left: closing returns the rest to the queue, and each return uses up one of
 * an event's lives.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as Returns from "../delivery/Returns.ts"
import type { Origin } from "../delivery/Work.ts"
import type { Consumer, ConsumeOptions, Delivery } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import type * as Inbox from "./Inbox.ts"

/**
 * The most bytes of bodies that one consumer holds. The prefetch counts messages, and the broker sends bodies far above
 * the limit of an event, too.
 */
export const maxHeldBytes = 64 * 1024 * 1024

export interface Session {
  readonly origin: Origin
  /** Completes when it takes nothing more, because its bodies exceed the bound or because it was asked to. */
  readonly full: Effect.Effect<void>
  /** From now on deliveries are not kept; they go back, in order, when it is closed. */
  readonly takeNoMore: () => void
  /** The size of the largest body since the last call. */
  readonly takeLargest: () => number
  /** Bytes of the bodies that it holds. */
  readonly heldBytes: () => number
  /** Fails when the consumer is lost without having been cancelled. */
  readonly lost: Effect.Effect<never, BrokerError>
  /** Completes when its deliveries show no sign of an event that kills the process. */
  readonly healthy: Effect.Effect<void>
  /** Completes when it has held a delivery for so long that others need not wait for it. Only of an isolated one. */
  readonly held: Effect.Effect<void>
  /** Completes when all of its deliveries are settled. */
  readonly spent: Effect.Effect<void>
  /** Stops new deliveries. */
  readonly cancel: Effect.Effect<void>
  /** Returns unsettled deliveries to the queue. */
  readonly close: Effect.Effect<void>
}

export interface SessionOptions {
  readonly prefetch: number
  /** Takes one delivery at a time until the suspicion ends; then it stops its deliveries itself. */
  readonly isolated: boolean
  /** Whether another isolated one before it still holds a suspect. */
  readonly suspects?: boolean
  /** Whether it reads the queue of parked events. */
  readonly parked?: boolean
}

/** Counts the deliveries of one consumer and watches them for signs of an event that kills the process. */
class Tally {
  readonly healthy = Latch.makeUnsafe(false)
  readonly spent = Latch.makeUnsafe(true)
  readonly full = Latch.makeUnsafe(false)
  readonly busy = Latch.makeUnsafe(false)
  private readonly maxCount: number
  private readonly onHealthy: () => void
  private readonly isolated: boolean
  private outstanding = 0
  private harmless = 0
  private wanted: number
  private decided = false
  /** Of the bodies that are held. */
  private bytes = 0
  private largest = 0

  /** It is full once it holds `maxCount` deliveries. */
  constructor(maxCount: number, { isolated, suspects = false }: SessionOptions, onHealthy: () => void) {
    this.maxCount = maxCount
    this.isolated = isolated
    this.wanted = suspects ? Returns.harmlessInRow : 1
    this.onHealthy = onHealthy
  }

  /** Returns whether the delivery is kept. All that come after one that is not kept are not kept either. */
  delivered({ body }: Delivery): boolean {
    if (body.length > this.largest) this.largest = body.length
    if (this.bytes + body.length > maxHeldBytes && this.bytes > 0) this.full.openUnsafe()
    if (this.full.isOpen()) return false
    this.bytes += body.length
    this.spent.closeUnsafe()
    if (this.isolated) this.busy.openUnsafe()
    if (++this.outstanding === this.maxCount) this.full.openUnsafe()
    return true
  }

  takeLargest(): number {
    const { largest } = this
    this.largest = 0
    return largest
  }

  heldBytes(): number {
    return this.bytes
  }

  arrived(delivery: Delivery): void {
    if (this.decided) return
    if (Returns.countOf(delivery) >= Returns.suspiciousCount) {
      this.harmless = 0
      this.wanted = Returns.harmlessInRow
    } else if (++this.harmless >= this.wanted) {
      this.decided = true
      // Before the delivery is acknowledged: otherwise the broker sends another one and has to take it back.
      this.onHealthy()
      this.healthy.openUnsafe()
    }
  }

  settled({ body }: Delivery): void {
    this.bytes -= body.length
    if (--this.outstanding !== 0) return
    if (this.isolated) this.busy.closeUnsafe()
    this.spent.openUnsafe()
  }

  get held(): Effect.Effect<void> {
    const settled = Effect.timeoutOption(this.spent.await, Returns.aloneMillis)
    return Effect.asVoid(
      Effect.repeat(Effect.andThen(this.busy.await, settled), { while: ({ _tag }) => _tag === "Some" })
    )
  }
}

export const open = Effect.fnUntraced(function* (
  consume: (options: Omit<ConsumeOptions, "subscriber">) => Effect.Effect<Consumer, BrokerError, Scope.Scope>,
  inbox: Inbox.Inbox,
  options: SessionOptions
) {
  const { isolated, parked = false, prefetch } = options
  const scope = yield* Scope.fork(yield* Effect.scope)
  const lost = yield* Deferred.make<never, BrokerError>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  let live: Consumer | undefined
  const cancel = yield* Effect.cached(
    Effect.suspend(() => (live === undefined ? Effect.void : Effect.ignore(live.cancel)))
  )
  // A window that is used up is as usual for the own queue. Of the parked one it means that not all of it can be read.
  const tally = new Tally(parked ? prefetch : Number.POSITIVE_INFINITY, options, () => {
    if (isolated && live !== undefined) run(cancel)
  })
  const origin: Origin = {
    isolated,
    parked,
    arrived: (delivery) => tally.arrived(delivery),
    settled: (delivery) => tally.settled(delivery),
    flush: (sent) => {
      for (const other of inbox.consumers) if (other !== live) other.flush(constVoid)
      return live?.flush(sent) ?? true
    }
  }
  const close = Scope.close(scope, Exit.void)
  live = yield* consume({
    prefetch,
    onDelivery: (delivery) => {
      if (tally.delivered(delivery)) inbox.offer(delivery, origin)
    },
    onLost: (error) => {
      Deferred.doneUnsafe(lost, Exit.fail(error))
    }
  }).pipe(
    Scope.provide(scope),
    Effect.onError(() => close)
  )
  const consumer = live
  inbox.consumers.add(consumer)
  yield* Scope.addFinalizer(
    scope,
    Effect.sync(() => inbox.consumers.delete(consumer))
  )
  return {
    origin,
    lost: Deferred.await(lost),
    healthy: tally.healthy.await,
    held: tally.held,
    spent: tally.spent.await,
    full: tally.full.await,
    takeNoMore: () => tally.full.openUnsafe(),
    takeLargest: () => tally.takeLargest(),
    heldBytes: () => tally.heldBytes(),
    cancel,
    close
  } satisfies Session
})
