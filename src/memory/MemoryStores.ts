/** Effect's stores in the memory of the process: what a bus without Redis offers, and uses itself. */
import { Layer } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Persistence from "effect/persistence/Persistence"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as MemoryPersistence from "./MemoryPersistence.ts"

export const layer = Layer.mergeAll(
  Layer.provideMerge(Persistence.layer, MemoryPersistence.layer),
  Layer.fresh(KeyValueStore.layerMemory),
  CircuitBreaker.layerStoreMemory(),
  Layer.fresh(RateLimiter.layerStoreMemory)
)
