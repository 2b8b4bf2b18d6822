/**
 * The parts of the bus that all of its subscribers share.
 */
import type * as Log from "../../observe/Log.ts"
import type { BrokerIdentity } from "../../observe/Messaging.ts"
import type * as Trace from "../../observe/Trace.ts"
import type { SharedStores } from "../admit/Admission.ts"
import type { Leases } from "../admit/Leases.ts"
import type { Copies } from "../delivery/Copies.ts"
import type { FailureFeed } from "../delivery/FailureFeed.ts"
import type { Trials } from "../handle/Trials.ts"
import type { Broker, SubscriberSpec } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import type { DrainBudget } from "../support/DrainBudget.ts"
import type { LongHandlers } from "../support/LongHandlers.ts"
import type { FleetMember } from "./FleetMember.ts"

export interface SharedParts {
  readonly broker: Broker["Service"]
  /** Sends the retries and dead letters of a subscriber. */
  readonly copiesOf: (spec: SubscriberSpec) => Copies
  readonly failures: FailureFeed
  readonly log: Log.Log
  readonly trace: Trace.Trace
  /** The broker as telemetry names it. */
  readonly place: BrokerIdentity
  /** What the monitor of the event loop knows of handlers. */
  readonly longHandlers: LongHandlers
  /** Events of all subscribers that may end the process are tried one at a time. */
  readonly trials: Trials
  readonly drainBudget: DrainBudget
  /** Called when a subscriber begins to drain: its time counts for the bus, too. */
  readonly onDrain: () => void
  /** For idempotent subscribers. */
  readonly leases: Leases | undefined
  /** Remembers delayed events. */
  readonly cache: CacheStore["Service"]
  /** For breakers and rate limits. */
  readonly stores: SharedStores
  /** Absent where no store is shared with other processes. */
  readonly fleet: FleetMember | undefined
  /** Identifies this bus; no other bus has the same. */
  readonly process: string
}
