/**
 * What an operator does with a running bus. One set of operations for every face (command line, HTTP, tools): a face parses
 * what it is asked, calls one of these, and writes down the report. Each group of them has a file of its own. Nothing
 * destructive happens unless `apply` says so.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Administrator } from "../bus/port/Administration.ts"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import type { Examiner, Subject } from "../bus/port/Examination.ts"
import type { CacheStore } from "../bus/port/CacheStore.ts"
import type { Fleet } from "../bus/port/Fleet.ts"
import type { Bus } from "./Bus.ts"
import * as FleetOperations from "./fleet/FleetOperations.ts"
import * as Grants from "./Grants.ts"
import * as DeadLetterOperations from "./letters/DeadLetterOperations.ts"
import * as LetterOperations from "./letters/LetterOperations.ts"
import * as LiveOperations from "./live/LiveOperations.ts"
import * as BenchOperations from "./load/BenchOperations.ts"
import * as LoadOperations from "./load/LoadOperations.ts"
import * as PublishOperations from "./publish/PublishOperations.ts"
import type * as Reports from "./Reports.ts"
import * as Topology from "./Topology.ts"

/** All groups. */
interface Groups
  extends
    BenchOperations.BenchOperations,
    DeadLetterOperations.DeadLetterOperations,
    FleetOperations.FleetOperations,
    Grants.GrantsOperation,
    LetterOperations.LetterOperations,
    LiveOperations.LiveOperations,
    LoadOperations.LoadOperations,
    PublishOperations.PublishOperations {
  readonly doctor: (subject: Subject) => Effect.Effect<typeof Reports.Doctor.Type>
  readonly topology: Topology.TopologyOperations
}

export class Operations extends Context.Service<Operations, Groups>()("@eduflow/events/Operations") {}

/** How the parts of the bus are reached. Each is run once, by the first operation that needs it. */
export interface Reach {
  readonly bus: Effect.Effect<Bus, BrokerError, Scope.Scope>
  /** Undefined where no store outlives a process. */
  readonly cache: Effect.Effect<CacheStore["Service"] | undefined, BrokerError, Scope.Scope>
  /** Undefined where processes share no store. */
  readonly fleet: Effect.Effect<Fleet["Service"] | undefined, BrokerError, Scope.Scope>
  /** For each measurement anew. */
  readonly namespace: LoadOperations.OpenNamespace
}

export const make = Effect.fnUntraced(function* (
  examiner: Examiner["Service"],
  administrator: Administrator["Service"],
  reach: Reach
): Effect.fn.Return<Operations["Service"], never, Scope.Scope> {
  const scope = yield* Effect.scope
  const bus = yield* Effect.cached(Scope.provide(reach.bus, scope))
  const cache = yield* Effect.cached(Scope.provide(reach.cache, scope))
  const fleet = yield* Effect.cached(Scope.provide(reach.fleet, scope))
  return Operations.of({
    doctor: (subject) =>
      Effect.map(
        Effect.all([examiner.examine(subject), FleetOperations.examine(fleet)], { concurrency: "unbounded" }),
        ([{ facts, findings, unseen }, disagreements]) => {
          const all = [...findings, ...disagreements]
          return {
            kind: "doctor" as const,
            version: 1 as const,
            healthy: all.length === 0,
            findings: all.toSorted((one, other) => rank(one) - rank(other)),
            unseen,
            facts
          }
        }
      ),
    topology: Topology.make(administrator),
    ...Grants.make(administrator),
    ...DeadLetterOperations.make(bus, examiner),
    ...FleetOperations.make(bus, fleet),
    ...PublishOperations.make(bus, cache),
    ...LiveOperations.make(bus, cache, examiner),
    ...LetterOperations.make(bus, examiner),
    ...LoadOperations.make(reach.namespace),
    ...BenchOperations.make(reach.namespace)
  })
})

const rank = ({ severity }: { readonly severity: "error" | "warning" }): number => (severity === "error" ? 0 : 1)
