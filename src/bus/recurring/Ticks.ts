/**
 * Which ticks of a recurring event are to be published now. That is computed from the last tick and the clock, so that no process
 * has to run in between.
 */
import * as Cron from "effect/Cron"

/** What is published of ticks that nobody published in time. */
export type CatchUp = "latest" | "all" | "none"

export interface Plan {
  /** Ticks to publish now, the oldest first. */
  readonly due: ReadonlyArray<Date>
  /** Whether ticks before those are left out. */
  readonly hasSkipped: boolean
  /** The last tick until now, which is due or left out. */
  readonly last: Date
}

/** A tick is in time until then: a deploy, or the loss of a node, may take as long. */
export const inTimeMillis = 60_000

/** The most ticks that are caught up with: a year of minutes at once would be no help to anybody. */
export const mostCaughtUp = 1_000

const minute = 60_000
/** How far back ticks are looked for, so that few of them are computed. */
const spans: ReadonlyArray<number> = [1, 10, 60, 600, 1_440, 14_400, 144_000, 527_040, 5_270_400].map(
  (minutes) => minutes * minute
)

/**
 * What to do when a tick is due. `base` is the last tick that is done with, or the time from which on there are ticks; both are
 * milliseconds since the epoch, and the first tick after `base` is not after `now`.
 */
export const plan = (cron: Cron.Cron, base: number, now: number, catchUp: CatchUp): Plan => {
  const first = Cron.next(cron, base)
  const ticks = latestUntil(cron, base, now, catchUp === "all" ? mostCaughtUp : 1)
  const last = ticks.at(-1) ?? first
  if (catchUp === "none" && now - last.getTime() > inTimeMillis) return { due: [], hasSkipped: true, last }
  return { due: ticks, hasSkipped: (ticks[0] ?? first) > first, last }
}

/** At most `count` ticks after `base`, the last ones up to and with `now`. */
const latestUntil = (cron: Cron.Cron, base: number, now: number, count: number): ReadonlyArray<Date> => {
  for (const span of spans) {
    const ticks = between(cron, Math.max(base, now - span), now, count)
    if (base >= now - span || ticks.length === count) return ticks
  }
  return between(cron, base, now, count)
}

/** The last `count` ticks after `from`, up to and with `now`. */
const between = (cron: Cron.Cron, from: number, now: number, count: number): ReadonlyArray<Date> => {
  const ticks: Array<Date> = []
  for (let tick = Cron.next(cron, from); tick.getTime() <= now; tick = Cron.next(cron, tick)) {
    ticks.push(tick)
    if (ticks.length > count) ticks.shift()
  }
  return ticks
}
