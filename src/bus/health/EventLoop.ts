/**
 * The lag of the event loop. A handler that computes for seconds delays all other handlers, acks and heartbeats;
 * after a few missed heartbeats the broker closes the connection and delivers its events elsewhere. Node measures
 * the lag, in real time. A timer finds out when the loop was blocked for a second, and which handlers ran then.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Health } from "../../observe/Health.ts"
import type * as Log from "../../observe/Log.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import * as Stopwatch from "../../observe/Stopwatch.ts"
import * as LookPace from "../support/LookPace.ts"
import type { LongHandlers } from "../support/LongHandlers.ts"

const resolution = 50
const everyMillis = 15_000
/** From here on heartbeats are late. */
const alarmingMillis = 5000

/** From here on it is worth a line in the log. */
const blockedMillis = 1000
const watchMillis = 250

export interface EventLoopParts {
  readonly context: Context.Context<never>
  readonly log: Log.Log
  readonly handlers: LongHandlers
}

/** Measures until the scope ends. */
export const start = Effect.fnUntraced(function* (parts: EventLoopParts) {
  const gauge = Meter.series(Metrics.eventLoopLag, parts.context)
  const delays = yield* Effect.acquireRelease(
    Effect.sync(() => monitorEventLoopDelay({ resolution })),
    (delays) => Effect.sync(() => delays.disable())
  )
  delays.enable()
  const blocks = new Blocks(parts, Stopwatch.of(yield* Clock.Clock))
  yield* Effect.acquireRelease(
    Effect.sync(() => setInterval(() => blocks.check(), watchMillis).unref()),
    (timer) => Effect.sync(() => clearInterval(timer))
  )
  // Node measures the time between two of its timers, which is the resolution when nothing is late.
  const worst = (): number => Math.max(0, Math.round(delays.max / 1e6) - resolution)
  let before = 0
  const turnOver = Effect.sync(() => {
    before = worst()
    gauge.update(before / 1000)
    delays.reset()
    blocks.forget()
  })
  const every = yield* LookPace.between(everyMillis)
  yield* Effect.forkScoped(Effect.repeat(turnOver, Schedule.spaced(every)))
  return {
    name: "event loop",
    critical: false,
    check: Effect.sync((): Health.ProbeResult => {
      const millis = Math.max(before, worst())
      return {
        status: millis >= alarmingMillis ? "degraded" : "up",
        detail: `at most ${millis} ms late in the last half a minute${blocks.detail()}`
      }
    })
  } satisfies Health.Probe
})

/** Notices that the loop was blocked as soon as it runs again, and names the handlers that ran meanwhile. */
class Blocks {
  private readonly parts: EventLoopParts
  /** Seconds on the clock that handlers are measured with. */
  private readonly stopwatch: () => number
  private checkedAt = performance.now()
  private cpu = process.cpuUsage()
  /** Of this period and of the one before it. */
  private handlers: ReadonlyArray<string> = ["", ""]

  constructor(parts: EventLoopParts, stopwatch: () => number) {
    this.parts = parts
    this.stopwatch = stopwatch
  }

  check(): void {
    const now = performance.now()
    const cpu = process.cpuUsage(this.cpu)
    const millis = Math.round(now - this.checkedAt - watchMillis)
    this.checkedAt = now
    this.cpu = process.cpuUsage()
    if (millis < blockedMillis) return
    const { handlers, log } = this.parts
    const suspects = handlers.suspects(this.stopwatch(), millis / 1000)
    const [one] = suspects
    if (one === undefined) return
    const names = suspects.map(({ event, subscriber }) => `"${subscriber}" at "${event}"`).join(", ")
    this.handlers = [names, this.handlers[1] ?? ""]
    log.warning("a handler blocked the event loop", {
      ...(suspects.length === 1
        ? { subscriber: one.subscriber, event: one.event, id: one.id }
        : { handlers: `one of ${names}` }),
      millis,
      cpuMillis: Math.round((cpu.user + cpu.system) / 1000),
      detail: "no other handler, acknowledgement or heartbeat ran meanwhile",
      remedy:
        "compute in a worker thread or in smaller parts, and call nothing that waits synchronously. Little CPU means such a wait, or that the machine did not run the process"
    })
  }

  /** A period is over. */
  forget(): void {
    this.handlers = ["", this.handlers[0] ?? ""]
  }

  detail(): string {
    const names = this.handlers.find((text) => text !== "")
    return names === undefined ? "" : `; blocked while a handler ran: ${names}`
  }
}
