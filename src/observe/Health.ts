/**
 * Whether a service can do its work, composed of probes that are asked at once, each within a deadline.
 * `up` is fine, `degraded` works with less, `down` does not work. Each check tells since when and why.
 *
 * Who asks while others do gets their answer: no number of askers makes more than one look. A probe that
 * does not even let itself be interrupted is told and not asked again until it ends.
 */
import { Cause, Clock, Context, Deferred, Duration, Effect, type Fiber, Option, Schedule } from "effect"
import * as HealthMetrics from "./HealthMetrics.ts"
import * as Readiness from "./Readiness.ts"

export type Status = "up" | "degraded" | "down"

export interface ProbeResult {
  readonly status: Status
  /** Why, in words for who is called at night; no secrets. */
  readonly detail: string
}

/** One resource to look at. */
export interface Probe {
  /** One of a few: it is a label of a metric. */
  readonly name: string
  /** Whether the service is not ready without it. A probe that is not critical can only degrade. */
  readonly critical: boolean
  /** Failing, dying and not answering are `down`. */
  readonly check: Effect.Effect<ProbeResult, unknown>
}

export interface Check extends ProbeResult {
  readonly name: string
  readonly critical: boolean
  /** Milliseconds that the probe took. */
  readonly millis: number
  /** Since when it has this status, as far as it was looked at. */
  readonly since: Date
}

export interface Report {
  readonly status: Status
  readonly time: Date
  readonly checks: ReadonlyArray<Check>
  /** Whether work may be sent here; lags behind `status` by the patience, so that it does not flap. */
  readonly ready: { readonly is: boolean; readonly since: Date; readonly detail: string }
}

/** Probes of what is around the bus: what exports its telemetry, for example. */
export const CurrentProbes: Context.Reference<ReadonlyArray<Probe>> = Context.Reference<ReadonlyArray<Probe>>(
  "@eduflow/events/observe/CurrentProbes",
  { defaultValue: () => [] }
)

export interface HealthOptions {
  /** Longest time for one probe. Default 1 second. */
  readonly deadline?: Duration.Input
  /** So long the critical checks must be the other way before readiness changes. Default 5 seconds. */
  readonly patience?: Duration.Input
  /** With `watched`: how often it looks by itself. Default 5 seconds. */
  readonly every?: Duration.Input
}

export class Health extends Context.Service<
  Health,
  {
    /** Asks every probe. */
    readonly report: Effect.Effect<Report>
    /** Whether work may be sent here: it can publish and its subscribers run, and that for a while. */
    readonly ready: Effect.Effect<boolean>
    /** Adds a probe of the service's own. Its name must be one of a few. */
    readonly add: (probe: Probe) => Effect.Effect<void>
  }
>()("@eduflow/events/observe/Health") {
  /** Health over the probes that exist when it is asked: subscribers come and go. */
  static over(probes: Effect.Effect<ReadonlyArray<Probe>>, options?: HealthOptions): Health["Service"] {
    return make(probes, options)
  }

  /** The same, looking by itself until the scope ends: for the metrics, and so that `since` is true. */
  static watched(probes: Effect.Effect<ReadonlyArray<Probe>>, options?: HealthOptions) {
    return watched(probes, options)
  }
}

const make = (probes: Effect.Effect<ReadonlyArray<Probe>>, options: HealthOptions = {}): Health["Service"] => {
  const deadline = Duration.fromInputUnsafe(options.deadline ?? "1 second")
  const readiness = Readiness.make(Duration.toMillis(Duration.fromInputUnsafe(options.patience ?? "5 seconds")))
  const own: Array<Probe> = []
  const history = new Map<string, { readonly status: Status; readonly since: number }>()
  /** What did not answer and has not ended since. */
  const hanging = new Map<string, Fiber.Fiber<ProbeResult>>()
  const late: ProbeResult = { status: "down", detail: `no answer within ${Duration.format(deadline)}` }

  const ask = Effect.fnUntraced(function* (probe: Probe) {
    const stuck = hanging.get(probe.name)
    if (stuck !== undefined && stuck.pollUnsafe() === undefined) return late
    hanging.delete(probe.name)
    const answer = yield* Deferred.make<ProbeResult>()
    // A probe that dies is a probe that failed.
    const guarded = Effect.catchCause(probe.check, (cause) =>
      Effect.succeed<ProbeResult>({ status: "down", detail: reasonOf(cause) })
    )
    // Beside, so that one that cannot be interrupted is not waited for; at once, so that an event loop that is
    // held up is not taken for a probe that does not answer.
    const fiber = yield* Effect.forkDetach(
      Effect.tap(guarded, (result) => Deferred.succeed(answer, result)),
      { startImmediately: true }
    )
    const result = yield* Effect.timeoutOption(Deferred.await(answer), deadline)
    if (Option.isSome(result)) return result.value
    hanging.set(probe.name, fiber)
    fiber.interruptUnsafe()
    return late
  })

  const check = Effect.fnUntraced(function* (probe: Probe) {
    const [elapsed, result] = yield* Effect.timed(ask(probe))
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

  const look = Effect.gen(function* () {
    const all = [...(yield* probes), ...own]
    const checks = yield* Effect.forEach(all, check, { concurrency: "unbounded" })
    const now = yield* Clock.currentTimeMillis
    // What is not there any more must not be remembered for ever.
    for (const name of history.keys()) if (!all.some((probe) => probe.name === name)) history.delete(name)
    const status = worst(checks)
    const { contradictedSince, ready, since } = readiness.look(status !== "down", now)
    const detail = whyReady(checks, ready, contradictedSince)
    return {
      status,
      time: new Date(now),
      checks,
      ready: { is: ready, since: new Date(since), detail }
    } satisfies Report
  })

  let asking: Deferred.Deferred<Report> | undefined
  const report = Effect.suspend(() => {
    if (asking !== undefined) return Deferred.await(asking)
    const own = (asking = Deferred.makeUnsafe<Report>())
    return Effect.andThen(
      // Beside: who asked first may leave first.
      Effect.forkDetach(
        Effect.onExit(look, (exit) =>
          Effect.suspend(() => {
            asking = undefined
            return Deferred.done(own, exit)
          })
        )
      ),
      Deferred.await(own)
    )
  })

  return Health.of({
    report,
    ready: Effect.map(report, ({ ready }) => ready.is),
    add: (probe) => Effect.sync(() => void own.push(probe))
  })
}

const watched = Effect.fnUntraced(function* (probes: Effect.Effect<ReadonlyArray<Probe>>, options: HealthOptions = {}) {
  const health = make(probes, options)
  const metrics = yield* HealthMetrics.make
  const look = Effect.map(health.report, ({ checks }) => metrics.tell(checks))
  yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(options.every ?? "5 seconds")))
  return health
})

const worst = (checks: ReadonlyArray<Check>): Status =>
  checks.some((check) => check.status === "down")
    ? "down"
    : checks.some((check) => check.status === "degraded")
      ? "degraded"
      : "up"

const whyReady = (checks: ReadonlyArray<Check>, ready: boolean, contradictedSince: number | undefined): string => {
  const down = checks.filter(({ status }) => status === "down").map(({ name }) => name)
  const what = down.length === 0 ? "all that it needs is up" : `${down.join(", ")} down`
  if (contradictedSince === undefined) return what
  const since = new Date(contradictedSince).toISOString()
  return ready ? `${what} since ${since}: it may pass` : `${what} since ${since}: it may not last`
}

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const squashed = Cause.squash(cause)
  return squashed instanceof Error ? squashed.message : "the probe failed"
}
