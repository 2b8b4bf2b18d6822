/**
 * How a keyed subscriber finds an event that kills its process (P3). Its one active consumer keeps its
 * window, since giving it back costs every event in it a life and may cost their order: when the first
 * delivery of a fresh consumer has come back unsettled before, handlers run one at a time, in the order
 * of delivery, until some in a row had not. So the killer is the first of the next consumer, and it
 * alone is judged by its count.
 */
import { Effect, Random } from "effect"
import type { Delivery } from "./Broker.ts"
import type { Population } from "./Population.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import type { Origin, Work } from "./Work.ts"

/** From this many unsettled returns up an event is suspected to kill the process. */
export const suspiciousCount = 2
/** How many harmless deliveries in a row end the suspicion. */
export const harmlessInRow = 3
/** Below the queue's delivery limit of 20, so that the crash net of the broker is the exception. */
export const maxCrashes = 10
/** From here up an event that did not start is not given back but sent again, with all of its lives, where order allows it. */
export const thriftyCount = maxCrashes / 2
/** From here up nothing runs beside one that waits for its retry: the first of the next consumer must be the one that ran. */
const graveCount = maxCrashes - 3

/** How often it came back unsettled without an attempt that ended. */
export const countOf = (delivery: Delivery): number =>
  (delivery.redelivered ? delivery.deliveryCount : 0) + RuntimeHeaders.returnsBefore(delivery)

/**
 * Milliseconds by which copies of what is suspected are put apart, so that the one that kills its process meets
 * the others no more.
 */
export const apart = (returns: number): Effect.Effect<number> =>
  returns < suspiciousCount ? Effect.succeed(0) : Effect.map(Random.next, (part) => part * returns * 10_000)

export interface Caution {
  /** Told of each delivery in its order; whether it is to be given up without running again. */
  readonly arrived: (work: Work) => boolean
  readonly on: () => boolean
  /** The next that may run, while caution is on. */
  readonly next: () => Work | undefined
}

export const make = (options: {
  /** All that are not settled, in the order of delivery. */
  readonly open: Population<Work>
  /** Whether it runs, waits or is being settled. */
  readonly isBusy: (work: Work) => boolean
  readonly handlers: () => number
  /** The next of all. */
  readonly take: () => Work | undefined
  /** The first of this key, if its lane is free. */
  readonly takeOf: (key: string | undefined) => Work | undefined
}): Caution => {
  const { handlers, isBusy, open, take, takeOf } = options
  let consumer: Origin | undefined
  let on = false
  let harmless = 0

  return {
    arrived: ({ delivery, origin }) => {
      if (origin === consumer) return false
      consumer = origin
      harmless = 0
      on = countOf(delivery) >= suspiciousCount
      return countOf(delivery) >= maxCrashes
    },
    on: () => on,
    next: () => {
      if (handlers() > 0) return undefined
      let others = false
      for (const work of open) {
        // It has a judge of its own.
        if (work.origin.parked) continue
        others = true
        if (isBusy(work)) {
          if (countOf(work.delivery) >= graveCount) return undefined
          continue
        }
        const taken = takeOf(work.event.key)
        if (taken === undefined) continue
        if (countOf(taken.delivery) >= suspiciousCount) harmless = 0
        else if (++harmless >= harmlessInRow) on = false
        return taken
      }
      return others ? undefined : take()
    }
  }
}
