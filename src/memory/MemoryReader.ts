/** A client's reader of one dead-letter queue of the embedded broker. It holds what it read until it ends. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DeadLetterReader } from "../bus/port/Broker.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { Closed } from "../bus/port/BrokerReason.ts"
import * as RenewedSet from "../bus/support/RenewedSet.ts"
import { MemoryDelivery, type Receiver } from "./MemoryDelivery.ts"
import type { Holder, MemoryQueue } from "./MemoryQueue.ts"
import type { OpenPart, Session } from "./Session.ts"

/** Lives as long as the current scope. */
export const make = (session: Session, queue: MemoryQueue): Effect.Effect<DeadLetterReader, never, Scope.Scope> =>
  Effect.gen(function* () {
    const holder: Holder = { unacked: RenewedSet.make() }
    let ended = false
    let problem = new BrokerError({ reason: new Closed() })
    const receiver: Receiver = {
      lost: () => ended,
      acknowledge: (stored) => session.acknowledged(!ended && queue.settle(holder, stored))
    }
    const part: OpenPart = {
      end: () => {
        if (ended) return
        ended = true
        session.delete(part)
        queue.release(holder)
      },
      onLost: (error) => void (problem = error)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => session.add(part)),
      () => Effect.sync(part.end)
    )
    return {
      count: queue.ready(),
      next: Effect.gen(function* () {
        if (ended) return yield* problem
        const stored = queue.take(holder)
        if (stored === undefined) return undefined
        return new MemoryDelivery(stored, receiver)
      }),
      // The queue of dead letters has no limit of returns.
      keep: () => {}
    } satisfies DeadLetterReader
  })
