/**
 * The behaviour of Effect's stores on every base: in the memory of the process, on one Redis, behind sentinels and on a
 * cluster. And of our temporary state, which is made of one of them.
 */
import { layer as withLayer } from "@effect/vitest"
import type { Layer } from "effect"
import type * as PersistedQueue from "effect/persistence/PersistedQueue"
import type { Stores } from "../../src/app/RedisStores.ts"
import type { BrokerError } from "../../src/bus/port/BrokerError.ts"
import { persistenceCases } from "./PersistenceCases.ts"
import { queueCases } from "./QueueCases.ts"
import { sharedLimitCases } from "./SharedLimitCases.ts"

type Services = Stores | PersistedQueue.PersistedQueueFactory

/** `it` of a block whose tests share the stores. */
export type StoreIt = Parameters<Parameters<ReturnType<typeof withLayer<Services, BrokerError>>>[1]>[0]

export interface EffectStoreOptions {
  /** Whether the user may scan all keys. Otherwise calls that need it are refused. */
  readonly scans?: boolean
}

export const effectStoreCases = (
  name: string,
  layer: Layer.Layer<Services, BrokerError>,
  { scans = true }: EffectStoreOptions = {}
): void =>
  withLayer(layer, { excludeTestServices: true, timeout: "5 minutes" })(name, (it) => {
    persistenceCases(it, scans)
    sharedLimitCases(it)
    queueCases(it)
  })
