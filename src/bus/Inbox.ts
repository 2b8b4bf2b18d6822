/**
 * What consumers bring, until the runner takes it: a consumer's callback only enqueues, and a delivery that
 * the runner cannot take must not stop the others.
 */
import { Effect, Queue } from "effect"
import type * as Log from "../observe/Log.ts"
import type { Delivery } from "./Broker.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type { Origin } from "./Work.ts"

export interface Arrival {
  readonly delivery: Delivery
  readonly origin: Origin
}

/** Hands over until the scope ends. */
export const make = Effect.fnUntraced(function* (
  subscriber: string,
  accept: (delivery: Delivery, origin: Origin) => void,
  log: Log.Log
) {
  const inbox = yield* Queue.unbounded<Arrival>()
  yield* Queue.takeAll(inbox).pipe(
    Effect.map((arrivals) => {
      for (const { delivery, origin } of arrivals) {
        // What is not accepted stays unacknowledged; the subscriber must go on all the same.
        try {
          accept(delivery, origin)
        } catch (error) {
          const { message, tag } = Diagnosis.describe(error)
          log.error("a delivery was not accepted", { subscriber, error: tag, detail: message })
        }
      }
    }),
    Effect.forever,
    Effect.forkScoped
  )
  return inbox
})
