/**
 * Whether a service can do its work, composed of probes that run at once, each within a deadline. Every check says
 * since when it has its status, and why.
 *
 * Concurrent callers share one run of the probes, however many there are. A probe that cannot be interrupted is
 * reported as down and not run again until it ends.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import * as HealthMetrics from "./HealthMetrics.ts"
import { HealthMonitor } from "./HealthMonitor.ts"
import type * as HealthReport from "./HealthReport.ts"

/** Probes of what surrounds the bus, such as the exporter of its telemetry. */
export const CurrentProbes: Context.Reference<ReadonlyArray<HealthReport.Probe>> = Context.Reference<
  ReadonlyArray<HealthReport.Probe>
>("@eduflow/events/observe/CurrentProbes", { defaultValue: () => [] })

export interface HealthOptions {
  /** Longest time for one probe. Default 1 second. */
  readonly deadline?: Duration.Input
  /** How long the critical checks must contradict the readiness before it changes. Default 5 seconds. */
  readonly patience?: Duration.Input
  /** `Health.watched` only: how often the probes run by themselves. Default 5 seconds. */
  readonly interval?: Duration.Input
}

/**
 * The health of the service. Every layer of the bus provides it, and the endpoints serve it.
 *
 * @example
 * ```ts
 * import { Health } from "@eduflow/events"
 * import { Effect } from "effect"
 *
 * declare const ping: Effect.Effect<void, Error>
 * export const watchDatabase = Effect.flatMap(Health, (health) =>
 *   health.add({
 *     name: "database",
 *     critical: true,
 *     check: Effect.as(ping, { status: "up", detail: "it answers" } as const)
 *   })
 * )
 * ```
 */
export class Health extends Context.Service<
  Health,
  {
    /** Runs every probe. */
    readonly report: Effect.Effect<Health.Report>
    /** Whether work may be sent here: the critical checks have been fine for a while. */
    readonly ready: Effect.Effect<boolean>
    /** Adds a probe of the service's own. */
    readonly add: (probe: Health.Probe) => Effect.Effect<void>
  }
>()("@eduflow/events/observe/Health") {
  /** Health over the probes that exist whenever a report is made: subscribers come and go. */
  static over(probes: Effect.Effect<ReadonlyArray<Health.Probe>>, options?: HealthOptions): Health["Service"] {
    return make(probes, options)
  }

  /** The same, with reports at an interval until the scope closes: for the metrics, and so that `since` is exact. */
  static watched(probes: Effect.Effect<ReadonlyArray<Health.Probe>>, options?: HealthOptions) {
    return watched(probes, options)
  }
}

/** The types of a report. */
export declare namespace Health {
  export type Status = HealthReport.Status
  export type Probe = HealthReport.Probe
  export type ProbeResult = HealthReport.ProbeResult
  export type Check = HealthReport.Check
  export type Report = HealthReport.Report
}

const kinds: Kinds.Kinds = {
  deadline: Kinds.time,
  patience: Kinds.duration,
  interval: Kinds.time
} satisfies Kinds.KindsOf<HealthOptions>

const probeKinds: Kinds.Kinds = {
  name: Kinds.required(Kinds.text),
  critical: Kinds.required(Kinds.bool),
  check: Kinds.required(Kinds.effect)
} satisfies Kinds.KindsOf<HealthReport.Probe>

const make = (
  probes: Effect.Effect<ReadonlyArray<HealthReport.Probe>>,
  options: HealthOptions = {}
): Health["Service"] => {
  OptionInvalid.check("Health", options, kinds)
  const { deadline = "1 second", patience = "5 seconds" } = options
  const monitor = new HealthMonitor(probes, Duration.fromInputUnsafe(deadline), Duration.fromInputUnsafe(patience))
  return Health.of({
    report: monitor.report,
    ready: Effect.map(monitor.report, ({ ready }) => ready.is),
    add: (probe) =>
      Effect.sync(() => {
        OptionInvalid.check("Health.add", probe, probeKinds)
        monitor.add(probe)
      })
  })
}

const watched = Effect.fnUntraced(function* (
  probes: Effect.Effect<ReadonlyArray<HealthReport.Probe>>,
  options: HealthOptions = {}
) {
  const health = make(probes, options)
  const metrics = yield* HealthMetrics.make
  const update = Effect.map(health.report, ({ checks }) => metrics.update(checks))
  yield* Effect.forkScoped(Effect.repeat(update, Schedule.spaced(options.interval ?? "5 seconds")))
  return health
})
