/**
 * The status of each check as a metric, for alerts.
 */
import * as Effect from "effect/Effect"
import type { Check, Status } from "./HealthReport.ts"
import * as Meter from "./Meter.ts"
import * as Metrics from "./Metrics.ts"

const statuses: ReadonlyArray<Status> = ["up", "degraded", "down"]

/** The metrics exist until the scope closes. */
export const make = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const latest = new Map<string, Status>()
  const observations = new Map<string, ReadonlyArray<() => void>>()
  const forget = (name: string): void => {
    observations.get(name)?.forEach((stop) => stop())
    observations.delete(name)
    latest.delete(name)
  }
  const observe = (name: string): ReadonlyArray<() => void> =>
    statuses.map((status) =>
      Meter.observe(Metrics.health, context, { "eventbus.check": name, "eventbus.state": status }, () =>
        latest.get(name) === status ? 1 : 0
      )
    )
  yield* Effect.addFinalizer(() => Effect.sync(() => [...observations.keys()].forEach(forget)))
  return {
    update: (checks: ReadonlyArray<Check>): void => {
      const names = new Set(checks.map(({ name }) => name))
      for (const name of observations.keys()) if (!names.has(name)) forget(name)
      for (const { name, status } of checks) {
        latest.set(name, status)
        if (!observations.has(name)) observations.set(name, observe(name))
      }
    }
  }
})
