/** Relays that race without a kill, and clocks that jump while relays are killed. */
import { setTimeout as delay } from "node:timers/promises"
import { partitions } from "../../../src/outbox/dialects/Dialect.ts"
import { type Verdict, type Violation, violationsOf } from "./Judge.ts"
import { type KillWorld, openWorld, type Servers } from "./KillWorld.ts"
import { beginLong, type Long } from "./KillRun.ts"
import type { Life } from "./Lives.ts"
import type { Bug } from "./Work.ts"

const sent = "SELECT count(*) FROM eventbus_outbox WHERE state = 1"

/** Waits for something, at most this long. */
const within = async (millis: number, condition: () => Promise<boolean>): Promise<boolean> => {
  for (const deadline = performance.now() + millis; performance.now() < deadline; await delay(50))
    if (await condition()) return true
  return false
}

/** How long a run with a bug may take to publish enough. */
const enoughMillis = 120_000
/** Longer than any pause of a busy machine: whoever holds a partition keeps it. */
const raceLeaseMillis = 15_000
/** How long nothing may move in the end: a partition of a process that ended without a word waits for its lease. */
const patienceMillis = 10_000

const stop = async (lives: ReadonlyArray<Life>, signal: NodeJS.Signals): Promise<void> => {
  for (const life of lives) life.signal(signal)
  await Promise.all(lives.map(({ ended }) => ended))
}

/** Writers end, relays go on until nothing waits. */
const conclude = async (
  world: KillWorld,
  writers: ReadonlyArray<Life>,
  relays: ReadonlyArray<Life>,
  mayRepeat: boolean
): Promise<{ readonly verdict: Verdict; readonly violations: ReadonlyArray<Violation> }> => {
  await stop(writers, "SIGKILL")
  await world.settles(patienceMillis + 2 * world.place.lease)
  await stop(relays, "SIGKILL")
  const verdict = await world.verdict()
  return { verdict, violations: violationsOf(verdict, mayRepeat) }
}

export interface RaceResult {
  readonly relays: number
  /** How often a relay left and another one came. */
  readonly changes: number
  readonly long: Long
  readonly verdict: Verdict
  readonly violations: ReadonlyArray<Violation>
}

export interface RaceOptions {
  readonly relays: number
  readonly events: number
  /** The clock of the first relay is wrong by this. */
  readonly clock?: number
  readonly bug?: Bug
}

/** Relays come and go, as in deploys: nothing is published twice. */
export const race = async (servers: Servers, options: RaceOptions): Promise<RaceResult> => {
  const { bug, clock, events, relays: count } = options
  await using world = await openWorld(servers, raceLeaseMillis)
  const own = { ...world.place, ...(bug !== undefined && { bug }) }
  const begin = (): Life => servers.lives.begin({ role: "relay", ...own })
  const writers = [0, 1].map(() => servers.lives.begin({ role: "writer", ...own }))
  const { life, long } = beginLong(world)
  const relays = Array.from({ length: count }, begin)
  if (clock !== undefined) relays[0]?.order({ order: "set the clock", millis: clock })
  let changes = 0
  await within(enoughMillis, async () => {
    if ((await world.number(sent)) >= events) return true
    await delay(700)
    // One whose clock is wrong stays.
    const [leaving] = clock === undefined ? relays.splice(0, 1) : []
    if (leaving === undefined) return false
    leaving.signal("SIGTERM")
    relays.push(begin())
    await leaving.ended
    changes++
    return false
  })
  return { relays: count, changes, long, ...(await conclude(world, [...writers, life], relays, false)) }
}

/** Plain writers and relays until enough was published, with transactions that commit after later ones. */
export const plain = async (servers: Servers, events: number, bug?: Bug): Promise<ReadonlyArray<Violation>> => {
  await using world = await openWorld(servers)
  const own = { ...world.place, ...(bug !== undefined && { bug }) }
  const writers = [0, 1].map(() => servers.lives.begin({ role: "writer", ...own }))
  const { life, long } = beginLong(world)
  const relay = servers.lives.begin({ role: "relay", ...own })
  await within(enoughMillis, async () => long.committed > 1 && (await world.number(sent)) >= events)
  return (await conclude(world, [...writers, life], [relay], true)).violations
}

export interface ClockResult {
  readonly jumps: number
  readonly kills: number
  readonly verdict: Verdict
  readonly violations: ReadonlyArray<Violation>
}

const hour = 3_600_000
/** How long a partition may stand still when its relay was killed beside a clock that jumped. */
const stillMillis = 15_000

/** The clock of the database in milliseconds since the epoch, and the column of the partition. */
const words = {
  postgres: { clock: "SELECT extract(epoch FROM clock_timestamp()) * 1000", partition: "partition" },
  mysql: {
    clock: "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000",
    partition: "`partition`"
  }
} as const

/** The clocks of the database and of all processes jump by an hour, forth and back; a relay is killed after each jump. */
export const clockRun = async (servers: Servers, rounds: number, bug?: Bug): Promise<ClockResult> => {
  await using world = await openWorld(servers)
  const own = { ...world.place, ...(bug !== undefined && { bug }) }
  const begin = (): Life => servers.lives.begin({ role: "relay", ...own })
  const writers = [0, 1].map(() => servers.lives.begin({ role: "writer", ...own }))
  const relays = [begin(), begin()]
  const { clock, partition } = words[servers.database.dialect === "mysql" ? "mysql" : "postgres"]
  const moves = async (): Promise<boolean> => {
    const last = await world.number("SELECT coalesce(max(position), 0) FROM eventbus_outbox")
    const text = `SELECT count(DISTINCT ${partition}) FROM eventbus_outbox WHERE state = 1 AND position > ${last}`
    return within(stillMillis, async () => (await world.number(text)) === partitions)
  }
  let [jumps, still] = [0, (await moves()) ? 0 : 1]
  for (const millis of Array.from({ length: rounds }, () => [hour, 0, -hour, 0]).flat()) {
    servers.database.setClock?.(millis)
    for (const [n, life] of [...writers, ...relays].entries())
      life.order({ order: "set the clock", millis: n % 2 === 0 ? millis : -millis })
    // The database follows within a second.
    await within(5_000, async () => {
      const ahead = await world.number(clock)
      return servers.database.setClock === undefined || Math.abs(ahead - Date.now() - millis) < 60_000
    })
    jumps++
    await stop(relays.splice(0, 1), "SIGKILL")
    relays.push(begin())
    if (!(await moves())) still++
  }
  const { verdict, violations } = await conclude(world, writers, relays, true)
  const rule: Violation = { rule: "stands still", count: still }
  return { jumps, kills: jumps, verdict, violations: still > 0 ? [...violations, rule] : violations }
}
