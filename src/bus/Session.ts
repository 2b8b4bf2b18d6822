/**
 * One consumer of a subscriber, from its opening to its loss or its end. It counts what it brought
 * and is not settled, so that it can be closed when nothing is left of it: closing gives back what is,
 * and each return costs an event one of its lives.
 */
import { Deferred, Effect, Exit, Latch, Scope } from "effect"
import type { Consumer, ConsumeOptions } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import * as Caution from "./Caution.ts"
import type * as Inbox from "./Inbox.ts"
import type { Origin } from "./Work.ts"

export interface Session {
  readonly origin: Origin
  /** Fails when the consumer is gone without having been asked to. */
  readonly lost: Effect.Effect<never, BrokerError>
  /** Completes when what arrives shows no sign of a killer. */
  readonly healthy: Effect.Effect<void>
  /** Completes when nothing that it brought is unsettled. */
  readonly spent: Effect.Effect<void>
  /** Stops new deliveries. */
  readonly cancel: Effect.Effect<void>
  /** Gives back what is unsettled. */
  readonly close: Effect.Effect<void>
}

export const open = Effect.fnUntraced(function* (
  consume: (options: Omit<ConsumeOptions, "subscriber">) => Effect.Effect<Consumer, BrokerError, Scope.Scope>,
  inbox: Inbox.Inbox,
  options: {
    readonly prefetch: number
    /** One at a time, until the suspicion ends; then it stops its deliveries itself. */
    readonly isolated: boolean
    /** Whether it reads the queue of parked events. */
    readonly parked?: boolean
  }
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const lost = yield* Deferred.make<never, BrokerError>()
  const healthy = yield* Latch.make(false)
  const spent = yield* Latch.make(true)
  let outstanding = 0
  let wanted = 1
  let harmless = 0
  let decided = false
  let live: Consumer | undefined
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const cancel = yield* Effect.cached(
    Effect.suspend(() => (live === undefined ? Effect.void : Effect.ignore(live.cancel)))
  )

  const origin: Origin = {
    isolated: options.isolated,
    parked: options.parked === true,
    arrived: (delivery) => {
      if (decided) return
      if (Caution.countOf(delivery) >= Caution.suspiciousCount) {
        harmless = 0
        wanted = Caution.harmlessInRow
      } else if (++harmless >= wanted) {
        decided = true
        // Before its delivery is acknowledged: else the broker sends one more, and has to take it back.
        if (options.isolated && live !== undefined) run(cancel)
        healthy.openUnsafe()
      }
    },
    settled: () => {
      if (--outstanding === 0) spent.openUnsafe()
    }
  }
  const close = Scope.close(scope, Exit.void)
  const consumer = yield* consume({
    prefetch: options.prefetch,
    onDelivery: (delivery) => {
      outstanding++
      spent.closeUnsafe()
      inbox.offer(delivery, origin)
    },
    onLost: (error) => {
      Deferred.doneUnsafe(lost, Exit.fail(error))
    }
  }).pipe(
    Scope.provide(scope),
    Effect.onError(() => close)
  )
  live = consumer
  return {
    origin,
    lost: Deferred.await(lost),
    healthy: healthy.await,
    spent: spent.await,
    cancel,
    close
  } satisfies Session
})
