/** What an operator does with what is declared: compare it with the contracts, declare it, take it away. */
import * as Effect from "effect/Effect"
import type { Administrator, RetireOptions, Retired, Wanted } from "../bus/port/Administration.ts"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import type * as Reports from "./TopologyReports.ts"

export interface TopologyOperations {
  /** What would be declared, and what is there that nobody declares. Changes nothing. */
  readonly plan: (wanted: Wanted) => Effect.Effect<typeof Reports.Plan.Type, BrokerError>
  /** The same as a verdict. */
  readonly verify: (wanted: Wanted) => Effect.Effect<typeof Reports.Verify.Type, BrokerError>
  /** Declares what is missing. Deletes and unbinds nothing. */
  readonly apply: (wanted: Wanted) => Effect.Effect<typeof Reports.Apply.Type, BrokerError>
  readonly retire: (
    target: Retired,
    wanted: Wanted,
    options: RetireOptions
  ) => Effect.Effect<typeof Reports.Retire.Type, BrokerError>
}

export const make = (administrator: Administrator["Service"]): TopologyOperations => {
  const { namespace } = administrator
  return {
    plan: (wanted) =>
      Effect.map(administrator.compare(wanted), (comparison) => ({
        kind: "topology.plan" as const,
        version: 1 as const,
        namespace,
        ...comparison
      })),
    verify: (wanted) =>
      Effect.map(administrator.compare(wanted), (comparison) => ({
        kind: "topology.verify" as const,
        version: 1 as const,
        namespace,
        ...comparison,
        matches: comparison.differences.length === 0
      })),
    apply: (wanted) =>
      Effect.gen(function* () {
        const before = yield* administrator.compare(wanted)
        yield* administrator.declare(wanted)
        const after = yield* administrator.compare(wanted)
        const left = new Set(after.differences.map(({ entity, seen }) => `${entity} ${seen}`))
        return {
          kind: "topology.apply" as const,
          version: 1 as const,
          namespace,
          ...after,
          declared: before.differences.flatMap(({ entity, kind, seen }) =>
            (kind === "missing" || kind === "unbound") && !left.has(`${entity} ${seen}`) ? [entity] : []
          )
        }
      }),
    retire: (target, wanted, options) =>
      Effect.map(administrator.retire(target, wanted, options), (retirement) => ({
        kind: "topology.retire" as const,
        version: 1 as const,
        namespace,
        target: target._tag === "Namespace" ? `namespace ${namespace}` : `${target._tag.toLowerCase()} ${target.name}`,
        dryRun: !options.apply,
        ...retirement
      }))
  }
}
