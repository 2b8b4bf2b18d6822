/**
 * How late the event loop is. A handler that computes for seconds holds up every other one, the acks and
 * the heartbeats: past a few of those the broker takes the connection for dead and gives its events to
 * somebody else. Measured by a sleep of a second that comes back late.
 */
import { Clock, type Context, Effect } from "effect"
import type * as Health from "../observe/Health.ts"
import * as Metrics from "../observe/Metrics.ts"

const everyMillis = 1000
/** The worst of so many measurements is told. */
const remembered = 60
/** From here up heartbeats suffer (P11). */
const alarmingMillis = 5000

/** Measures until the scope ends. */
export const watch = Effect.fnUntraced(function* (context: Context.Context<never>) {
  const clock = yield* Clock.Clock
  const gauge = Metrics.bind(Metrics.eventLoopLag, context, {})
  const late: Array<number> = []
  const measure = Effect.gen(function* () {
    const begun = clock.currentTimeMillisUnsafe()
    yield* Effect.sleep(everyMillis)
    const lag = Math.max(0, clock.currentTimeMillisUnsafe() - begun - everyMillis)
    gauge.update(lag / 1000)
    late.push(lag)
    if (late.length > remembered) late.shift()
  })
  yield* Effect.forkScoped(Effect.forever(measure))
  return {
    name: "event loop",
    critical: false,
    check: Effect.sync((): Health.ProbeResult => {
      const worst = Math.max(0, ...late)
      return {
        status: worst >= alarmingMillis ? "degraded" : "up",
        detail: `at most ${worst} ms late in the last minute`
      }
    })
  } satisfies Health.Probe
})
