/**
 * Composes health reports: runs all probes at once, remembers since when each has its status, and derives whether
 * the service is ready.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Monotonic from "./Monotonic.ts"
import type { Check, Probe, Report, Status } from "./HealthReport.ts"
import { ProbeRunner } from "./ProbeRunner.ts"
import * as Readiness from "./Readiness.ts"

export class HealthMonitor {
  private readonly probes: Effect.Effect<ReadonlyArray<Probe>>
  private readonly runner: ProbeRunner
  private readonly readiness: Readiness.Tracker
  private readonly added: Array<Probe> = []
  private readonly history = new Map<string, { readonly status: Status; readonly since: number }>()
  private pending: Deferred.Deferred<Report> | undefined

  constructor(probes: Effect.Effect<ReadonlyArray<Probe>>, deadline: Duration.Duration, patience: Duration.Duration) {
    this.probes = probes
    this.runner = new ProbeRunner(deadline)
    this.readiness = Readiness.make(Duration.toMillis(patience))
  }

  add(probe: Probe): void {
    this.added.push(probe)
  }

  /** Concurrent callers share one run of the probes. */
  readonly report: Effect.Effect<Report> = Effect.suspend(() => {
    if (this.pending !== undefined) return Deferred.await(this.pending)
    const pending = (this.pending = Deferred.makeUnsafe<Report>())
    const run = Effect.onExit(this.runAll(), (exit) =>
      Effect.suspend(() => {
        this.pending = undefined
        return Deferred.done(pending, exit)
      })
    )
    // Detached: the first caller may be interrupted before the others.
    return Effect.andThen(Effect.forkDetach(run), Deferred.await(pending))
  })

  private runAll(): Effect.Effect<Report> {
    return Effect.gen({ self: this }, function* () {
      const probes = [...(yield* this.probes), ...this.added]
      const checks = yield* Effect.forEach(probes, (probe) => this.check(probe), { concurrency: "unbounded" })
      const now = yield* Clock.currentTimeMillis
      // Probes come and go with subscribers: the history of a probe goes with it.
      for (const name of this.history.keys())
        if (!probes.some((probe) => probe.name === name)) this.history.delete(name)
      const status = worst(checks)
      const elapsed = (yield* Monotonic.make)()
      const readiness = this.readiness.update(status !== "down", elapsed)
      const wallOf = (moment: number): Date => new Date(Math.round(now - (elapsed - moment)))
      return {
        status,
        time: new Date(now),
        checks,
        ready: { is: readiness.ready, since: wallOf(readiness.since), detail: explain(checks, readiness, wallOf) }
      }
    })
  }

  private check(probe: Probe): Effect.Effect<Check> {
    return Effect.gen({ self: this }, function* () {
      const [took, result] = yield* Effect.timed(this.runner.run(probe))
      const status = result.status === "down" && !probe.critical ? "degraded" : result.status
      const now = yield* Clock.currentTimeMillis
      const before = this.history.get(probe.name)
      const since = before?.status === status ? before.since : now
      this.history.set(probe.name, { status, since })
      return {
        name: probe.name,
        critical: probe.critical,
        status,
        detail: result.detail,
        took,
        since: new Date(since)
      }
    })
  }
}

const worst = (checks: ReadonlyArray<Check>): Status =>
  checks.some((check) => check.status === "down")
    ? "down"
    : checks.some((check) => check.status === "degraded")
      ? "degraded"
      : "up"

/** Why the service is or is not ready, in words. */
const explain = (
  checks: ReadonlyArray<Check>,
  { contradictedSince, ready }: Readiness.Readiness,
  wallOf: (moment: number) => Date
): string => {
  const down = checks.filter(({ status }) => status === "down").map(({ name }) => name)
  const current = down.length === 0 ? "every dependency is up" : `${down.join(", ")} down`
  if (contradictedSince === undefined) return current
  const since = wallOf(contradictedSince).toISOString()
  return `${current} since ${since}: ${ready ? "still ready, it may pass" : "not ready yet, it may not last"}`
}
