/**
 * How late the event loop is. A handler that computes for seconds holds up every other one, the acks and
 * the heartbeats: past a few of those the broker takes the connection for dead and gives its events to
 * somebody else. Measured by Node itself, in real time.
 */
import { type Context, Effect, Schedule } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type * as Health from "../observe/Health.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"

const resolution = 50
const every = "15 seconds"
/** From here up heartbeats suffer (P11). */
const alarmingMillis = 5000

/** Measures until the scope ends. */
export const watch = Effect.fnUntraced(function* (context: Context.Context<never>) {
  const gauge = Meter.bind(Metrics.eventLoopLag, context)
  const delays = yield* Effect.acquireRelease(
    Effect.sync(() => monitorEventLoopDelay({ resolution })),
    (delays) => Effect.sync(() => delays.disable())
  )
  delays.enable()
  // What it measures is the time between two looks, which is the resolution when nothing is late.
  const worst = (): number => Math.max(0, Math.round(delays.max / 1e6) - resolution)
  let before = 0
  const turnOver = Effect.sync(() => {
    before = worst()
    gauge.update(before / 1000)
    delays.reset()
  })
  yield* Effect.forkScoped(Effect.repeat(turnOver, Schedule.spaced(every)))
  return {
    name: "event loop",
    critical: false,
    check: Effect.sync((): Health.ProbeResult => {
      const millis = Math.max(before, worst())
      return {
        status: millis >= alarmingMillis ? "degraded" : "up",
        detail: `at most ${millis} ms late in the last half a minute`
      }
    })
  } satisfies Health.Probe
})
