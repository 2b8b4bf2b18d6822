/**
 * For authors of adapters: the ports that the bus needs, and suites that show that an adapter keeps their promises.
 * `EventBus.layer` runs on every `Broker` and `CacheStore`; `idempotent` subscribers need a `ClaimStore` too,
 * and operators pause subscribers in all processes by a `Fleet`.
 *
 * A suite is a list of cases, each a name and an effect, so that it runs in any test framework.
 *
 * @example
 * ```ts
 * import { CacheStore, cacheStoreCases } from "@eduflow/events/ports"
 * import { Effect, type Layer } from "effect"
 * import { describe, it } from "node:test"
 *
 * declare const MyCache: Layer.Layer<CacheStore>
 *
 * describe("MyCache", () => {
 *   for (const { name, test } of cacheStoreCases())
 *     it(name, () => Effect.runPromise(Effect.provide(test, MyCache)))
 * })
 * ```
 */
export * from "../bus/port/Broker.ts"
export * as BrokerReason from "../bus/port/BrokerReason.ts"
export { BrokerError } from "../bus/port/BrokerError.ts"
export { CacheError } from "../bus/port/CacheError.ts"
export * as CacheReason from "../bus/port/CacheReason.ts"
export * as CacheOrder from "../bus/port/CacheOrder.ts"
export {
  type CacheEntry,
  CacheStore,
  type HistoryRange,
  type Position,
  type Remembered
} from "../bus/port/CacheStore.ts"
export { type Claim, ClaimStore, type HeldClaim, type Subject } from "../bus/port/ClaimStore.ts"
export {
  Fleet,
  type OperatorPause,
  type Pauses,
  type Presence,
  type SeenProcess,
  type SubscriberPresence
} from "../bus/port/Fleet.ts"
export type { ConformanceCase } from "./conformance/ConformanceCase.ts"
export { type CacheStoreOptions } from "./conformance/cache/CacheCase.ts"
export { cacheStoreCases } from "./conformance/cache/CacheStoreCases.ts"
export { claimStoreCases } from "./conformance/claims/ClaimStoreCases.ts"
export { fleetCases } from "./conformance/fleet/FleetCases.ts"
export { type BrokerSetup, type ForeignEvent, type Network, type Ports } from "./conformance/broker/BrokerCase.ts"
export { brokerCases } from "./conformance/broker/BrokerCases.ts"
export { processOver as busProcess, type Services as BusServices } from "./conformance/setup/BusProcess.ts"
