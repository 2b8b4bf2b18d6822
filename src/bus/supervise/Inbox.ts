/**
 * Holds deliveries from the callback of their consumer until the runner accepts them: the callback only
 * enqueues, and a delivery that cannot be accepted must not stop the others. Deliveries that arrive together are
 * accepted together, after the callback has ended and before the event loop goes on.
 */
import * as Effect from "effect/Effect"
import type * as Log from "../../observe/Log.ts"
import type { Consumer, Delivery } from "../port/Broker.ts"
import * as Diagnosis from "../send/Diagnosis.ts"
import type { Origin } from "../delivery/Work.ts"
import type { Runner } from "../handle/RunnerApi.ts"

export interface Inbox {
  readonly offer: (delivery: Delivery, origin: Origin) => void
  /** Gives a delivery to the runner at once, unless the parked queue keeps it. */
  readonly accept: (delivery: Delivery, origin: Origin) => void
  /** The consumers that it has deliveries of: what any of them acknowledged is sent before a suspect of another starts. */
  readonly consumers: Set<Consumer>
}

/** What a keyed subscriber consults about each delivery, in order. */
export interface InboxFilter {
  /** Whether it takes the delivery instead of the runner. */
  readonly keeps: (delivery: Delivery, origin: Origin) => boolean
  /** Called when the runner has accepted a delivery of the parked queue. */
  readonly accepted: () => void
}

export interface Arrival {
  readonly delivery: Delivery
  readonly origin: Origin
}

/** Gives deliveries to the runner until the scope ends. */
export const make = Effect.fnUntraced(function* (parts: {
  readonly subscriber: string
  readonly runner: Pick<Runner, "accept">
  /** Of a keyed subscriber. */
  readonly parkedQueue: InboxFilter | undefined
  readonly log: Log.Log
}) {
  const { log, parkedQueue, runner, subscriber } = parts
  let arrivals: Array<Arrival> = []
  let ended = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      ended = true
      arrivals = []
    })
  )
  const accept: Inbox["accept"] = (delivery, origin) => {
    // A delivery that is not accepted stays unacknowledged. The subscriber must go on all the same.
    try {
      if (parkedQueue?.keeps(delivery, origin) === true) return
      const isParked = origin.parked && !delivery.lost()
      runner.accept(delivery, origin)
      if (isParked) parkedQueue?.accepted()
    } catch (error) {
      const { message, tag } = Diagnosis.describe(error)
      log.error("a delivery was not accepted", { subscriber, error: tag, detail: message })
    }
  }
  const handOver = (): void => {
    const batch = arrivals
    arrivals = []
    for (const { delivery, origin } of batch) {
      // Accepting a delivery may end the subscriber.
      if (ended) return
      accept(delivery, origin)
    }
  }
  return {
    accept,
    consumers: new Set(),
    offer: (delivery, origin) => {
      if (ended) return
      arrivals.push({ delivery, origin })
      if (arrivals.length === 1) queueMicrotask(handOver)
    }
  } satisfies Inbox
})
