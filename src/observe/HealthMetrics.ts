/**
 * The state of each check as a metric, for alerts.
 */
import { Effect } from "effect"
import type { Check } from "./Health.ts"
import * as Meter from "./Meter.ts"
import * as Metrics from "./Metrics.ts"

const states = ["up", "degraded", "down"] as const

/** Told until the scope ends. */
export const make = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const latest = new Map<string, Check["status"]>()
  const stops = new Map<string, ReadonlyArray<() => void>>()
  const forget = (name: string): void => {
    stops.get(name)?.forEach((stop) => stop())
    stops.delete(name)
    latest.delete(name)
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => [...stops.keys()].forEach(forget)))
  return {
    tell: (checks: ReadonlyArray<Check>): void => {
      const names = new Set(checks.map(({ name }) => name))
      for (const name of stops.keys()) if (!names.has(name)) forget(name)
      for (const { name, status } of checks) {
        latest.set(name, status)
        if (stops.has(name)) continue
        const own = (state: string) => ({ "eventbus.check": name, "eventbus.state": state })
        stops.set(
          name,
          states.map((state) =>
            Meter.observe(Metrics.health, context, own(state), () => (latest.get(name) === state ? 1 : 0))
          )
        )
      }
    }
  }
})
