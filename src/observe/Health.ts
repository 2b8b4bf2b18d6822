/**
 * Whether a service can do its work, composed of probes that are asked at once, each within a
 * deadline. `up` is fine, `degraded` works with less, `down` does not work. Each check tells since
 * when and why.
 */
import { Cause, Clock, Context, Duration, Effect } from "effect"

export type Status = "up" | "degraded" | "down"

export interface ProbeResult {
  readonly status: Status
  readonly detail: string
}

/** One resource to look at. */
export interface Probe {
  readonly name: string
  /** Whether the service is not ready without it. A probe that is not critical can only degrade. */
  readonly critical: boolean
  readonly check: Effect.Effect<ProbeResult, unknown>
}

export interface Check extends ProbeResult {
  readonly name: string
  readonly critical: boolean
  /** Milliseconds that the probe took. */
  readonly millis: number
  /** Since when it has this status. */
  readonly since: Date
}

export interface Report {
  readonly status: Status
  readonly time: Date
  readonly checks: ReadonlyArray<Check>
}

export class Health extends Context.Service<
  Health,
  {
    /** Asks every probe. */
    readonly report: Effect.Effect<Report>
    /** Whether it can publish and its subscribers run: no critical probe is down. */
    readonly ready: Effect.Effect<boolean>
    /** Adds a probe of the service's own. */
    readonly add: (probe: Probe) => Effect.Effect<void>
  }
>()("@eduflow/events/observe/Health") {
  /** Health over the probes that exist when it is asked: subscribers come and go. */
  static over(probes: Effect.Effect<ReadonlyArray<Probe>>, options?: HealthOptions): Health["Service"] {
    return make(probes, options)
  }
}

export interface HealthOptions {
  /** Longest time for one probe. Default 1 second. */
  readonly deadline?: Duration.Input
}

const make = (probes: Effect.Effect<ReadonlyArray<Probe>>, options: HealthOptions = {}): Health["Service"] => {
  const deadline = Duration.fromInputUnsafe(options.deadline ?? "1 second")
  const own: Array<Probe> = []
  const history = new Map<string, { readonly status: Status; readonly since: number }>()

  const ask = Effect.fnUntraced(function* (probe: Probe) {
    const [elapsed, result] = yield* probe.check.pipe(
      Effect.timeoutOrElse({
        duration: deadline,
        orElse: () =>
          Effect.succeed<ProbeResult>({ status: "down", detail: `no answer within ${Duration.format(deadline)}` })
      }),
      // A probe that dies is a probe that failed.
      Effect.catchCause((cause) => Effect.succeed<ProbeResult>({ status: "down", detail: reasonOf(cause) })),
      Effect.timed
    )
    const status = result.status === "down" && !probe.critical ? "degraded" : result.status
    const now = yield* Clock.currentTimeMillis
    const before = history.get(probe.name)
    const since = before?.status === status ? before.since : now
    history.set(probe.name, { status, since })
    return {
      name: probe.name,
      critical: probe.critical,
      status,
      detail: result.detail,
      millis: Math.round(Duration.toMillis(elapsed)),
      since: new Date(since)
    } satisfies Check
  })

  const report = Effect.gen(function* () {
    const all = [...(yield* probes), ...own]
    const checks = yield* Effect.forEach(all, ask, { concurrency: "unbounded" })
    const time = new Date(yield* Clock.currentTimeMillis)
    return { status: worst(checks), time, checks } satisfies Report
  })

  return Health.of({
    report,
    ready: Effect.map(report, ({ status }) => status !== "down"),
    add: (probe) => Effect.sync(() => void own.push(probe))
  })
}

const worst = (checks: ReadonlyArray<Check>): Status =>
  checks.some((check) => check.status === "down")
    ? "down"
    : checks.some((check) => check.status === "degraded")
      ? "degraded"
      : "up"

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const squashed = Cause.squash(cause)
  return squashed instanceof Error ? squashed.message : "the probe failed"
}
