/** Effect's stores in the memory of the process: a bus without Redis uses them, and offers them to its services. */
import * as Layer from "effect/Layer"
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
