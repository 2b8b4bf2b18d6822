/**
 * Delayed events are remembered when they are delivered: before that they have not happened. Any of
 * their subscribers does it, each time, which changes nothing but the first time; copies of the runtime
 * (retries, replays) are never remembered.
 *
 * The mark that tells them apart is believed from anybody: who can set it can publish delayed events.
 */
import { Result } from "effect"
import { bytesOf } from "../event/Body.ts"
import type * as Event from "../event/Event.ts"
import type { Delivery, Headers } from "./Broker.ts"
import type { CacheStore } from "./CacheStore.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import { read, type Runner } from "./Work.ts"

/** What the publisher of a delayed event sends along. */
export const mark: Headers = { [RuntimeHeaders.names.delayed]: true }

/** Accepts what `accept` does, and remembers it where it has to be. */
export const remembering =
  <E extends Event.Any>(
    store: CacheStore,
    contracts: ReadonlyMap<string, E>,
    accept: Runner["accept"]
  ): Runner["accept"] =>
  (delivery, origin) => {
    if (isDelayed(delivery)) remember(store, contracts, delivery)
    accept(delivery, origin)
  }

const isDelayed = ({ headers, recipient, trusted }: Delivery): boolean =>
  headers[RuntimeHeaders.names.delayed] === true && !trusted && recipient === undefined

const remember = <E extends Event.Any>(
  store: CacheStore,
  contracts: ReadonlyMap<string, E>,
  delivery: Delivery
): void => {
  const { decoded } = read(delivery, contracts)
  if (Result.isFailure(decoded)) return
  const { id, key = "", time, type } = decoded.success
  const settings = contracts.get(type)?.cache ?? false
  if (settings === false) return
  store.write({ event: type, key, id, time: time.getTime(), body: bytesOf(delivery.body), settings })
}
