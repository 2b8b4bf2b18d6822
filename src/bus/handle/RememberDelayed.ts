/**
 * Delayed events enter the cache when they are delivered: before that they have not happened. Each subscriber
 * does this on each delivery, and only the first write changes anything. Copies that the runtime sends (retries,
 * replays) are never remembered.
 *
 * The header that marks a delayed event is believed only on an event that came over the delay ladder.
 */
import { bytesOf } from "../../event/Body.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import * as Limits from "../../event/Limits.ts"
import type { Delivery } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"

export const isDelayed = ({ delayed, headers }: Delivery): boolean =>
  delayed && headers[RuntimeHeaders.names.delayed] === true

/** Writes the event of a delayed delivery to the cache, if its contract has one. */
export const remember = (
  store: CacheStore["Service"],
  contracts: ReadonlyMap<string, Event.Any>,
  delivery: Delivery,
  { id, key = "", time, type }: Envelope.Envelope
): void => {
  const settings = contracts.get(type)?.cache ?? false
  // Nobody could read it by a longer key.
  if (settings === false || !Limits.fits(key)) return
  store.write({ event: type, key, id, time: time.getTime(), body: bytesOf(delivery.body), settings })
}
