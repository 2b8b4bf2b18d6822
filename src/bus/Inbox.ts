/**
 * What consumers bring, until the runner takes it: a consumer's callback only enqueues, and a delivery that
 * the runner cannot take must not stop the others. What arrives together is handed over together, as soon as
 * the callback that brought it has ended and before the event loop goes on.
 */
import { Effect } from "effect"
import type * as Log from "../observe/Log.ts"
import type { Delivery } from "./Broker.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type { Origin } from "./Work.ts"

export interface Inbox {
  readonly offer: (delivery: Delivery, origin: Origin) => void
}

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
  let arrivals: Array<Arrival> = []
  let ended = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      ended = true
      arrivals = []
    })
  )
  const handOver = (): void => {
    const batch = arrivals
    arrivals = []
    for (const { delivery, origin } of batch) {
      // It may end within the call.
      if (ended) return
      // What is not accepted stays unacknowledged; the subscriber must go on all the same.
      try {
        accept(delivery, origin)
      } catch (error) {
        const { message, tag } = Diagnosis.describe(error)
        log.error("a delivery was not accepted", { subscriber, error: tag, detail: message })
      }
    }
  }
  return {
    offer: (delivery, origin) => {
      if (ended) return
      arrivals.push({ delivery, origin })
      if (arrivals.length === 1) queueMicrotask(handOver)
    }
  } satisfies Inbox
})
