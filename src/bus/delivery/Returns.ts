/**
 * How often a delivery came back unsettled, and what follows from that count: an event that kills its process
 * comes back each time.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Delivery } from "../port/Broker.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"

/** An event that came back this often is suspected of killing its process. */
export const suspiciousCount = 2
/** This many harmless deliveries in a row end the suspicion. */
export const harmlessInRow = 3
/** The suspects of a process arrive, and those that may not stay leave, within this time, unless the broker is slow. */
export const quietMillis = 200
/** For this long nothing runs beside a suspect. What ends its process later than that is found by its own starts. */
export const aloneMillis = 1000
/**
 * An event that came back this often is dead-lettered. Below the queue's delivery limit of 20, so that the
 * broker rarely has to do it.
 */
export const maxCrashes = 10
/** From this many returns on an event is judged by its own starts. */
export const lateCount = maxCrashes / 2
/**
 * From this many returns on, an event that did not start is sent again as a copy instead of being given back,
 * where order allows it: the copy has the whole delivery limit before it, and deploys in a row make no suspect of it.
 */
export const thriftyCount = lateCount - 1

/** How often a delivery came back unsettled since the last attempt that ended. */
export const countOf = (delivery: Delivery): number =>
  (delivery.redelivered ? delivery.deliveryCount : 0) + RuntimeHeaders.returnsBefore(delivery)

/**
 * Milliseconds by which the copies of suspected events are spread out, so that the one that kills its process
 * no longer takes the others with it.
 */
export const apart = (returns: number): Effect.Effect<number> =>
  returns < suspiciousCount ? Effect.succeed(0) : Effect.map(Random.next, (part) => part * returns * 10_000)
