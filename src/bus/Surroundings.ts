/**
 * What a subscriber finds around it: the parts of the bus that all of its subscribers share.
 */
import type * as Log from "../observe/Log.ts"
import type { Place } from "../observe/Messaging.ts"
import type * as Trace from "../observe/Trace.ts"
import type { SharedStores } from "./Admission.ts"
import type { Broker, SubscriberSpec } from "./Broker.ts"
import type { DrainBudget } from "./Budget.ts"
import type { CacheStore } from "./CacheStore.ts"
import type { Failures } from "./Failures.ts"
import type { MarkStore } from "./Marks.ts"
import type { Settlement } from "./Settlement.ts"

export interface Surroundings {
  readonly broker: Broker["Service"]
  readonly settlement: (spec: SubscriberSpec) => Settlement
  readonly failures: Failures
  readonly log: Log.Log
  readonly trace: Trace.Trace
  /** The broker as telemetry names it. */
  readonly place: Place
  readonly drain: DrainBudget
  /** Told when a subscriber begins to drain: its time is the bus's, too. */
  readonly onDrain: () => void
  /** For idempotent subscribers. */
  readonly marks: MarkStore | undefined
  /** Remembers delayed events. */
  readonly cache: CacheStore
  /** For breakers and rate limits. */
  readonly stores: SharedStores
  /** A name of this bus that no other one has. */
  readonly process: string
}
