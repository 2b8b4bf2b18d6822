/** Processes that die one after the other, and servers that are killed when a process reaches a statement. */
import type { DialectName } from "@eduflow/events/outbox"
import { setTimeout as delay } from "node:timers/promises"
import type { Place, Servers } from "./KillWorld.ts"
import type { Life } from "./Lives.ts"
import { type Bug, type Death, deathsOf, type Mortal, type Victim, type WorkOptions } from "./Work.ts"

const sumOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0)

/** What was killed, and where. */
export class Toll {
  readonly byVictim = new Map<string, number>()
  /** By statement and moment. */
  readonly byPlace = new Map<string, number>()
  /** Kills whose process did not reach its statement in time, by that place. */
  readonly lateAt = new Map<string, number>()

  add({ at, victim, when }: Death, role: Mortal, how: "reached" | "late"): void {
    const who = victim === "process" ? role : victim
    this.byVictim.set(who, (this.byVictim.get(who) ?? 0) + 1)
    const counts = how === "late" ? this.lateAt : this.byPlace
    const place = `${who}, ${when} ${at}`
    counts.set(place, (counts.get(place) ?? 0) + 1)
  }

  get total(): number {
    return sumOf(this.byVictim)
  }

  get late(): number {
    return sumOf(this.lateAt)
  }
}

/** The first `count` of all deaths, again and again. */
export const deathsUpTo = (dialect: DialectName, role: Mortal, victim: Victim, count: number): ReadonlyArray<Death> => {
  const all = deathsOf(role, victim, dialect)
  return Array.from({ length: Math.ceil(count / all.length) }, () => all)
    .flat()
    .slice(0, count)
}

/** Spreads those of the shorter lists evenly over the longest. */
export const interleave = <A>(...lists: ReadonlyArray<ReadonlyArray<A>>): Array<A> =>
  lists
    .flatMap((list) => list.map((item, n) => ({ item, at: (n + 0.5) / list.length })))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)

/** How long a process may take to its statement. */
const lateMillis = 20_000

/** Kills a server and starts it again, one at a time. */
export type Outage = (victim: Exclude<Victim, "process">, onKilled: () => void) => Promise<void>

export const outagesOf = ({ database, rabbit }: Pick<Servers, "database" | "rabbit">): Outage => {
  let last = Promise.resolve()
  return (victim, onKilled) => {
    const server = victim === "database" ? database : rabbit
    const outage = async (): Promise<void> => {
      await server.kill()
      onKilled()
      await server.restart()
    }
    return (last = last.then(outage))
  }
}

export interface LaneOptions {
  readonly servers: Servers
  readonly place: Place
  readonly role: Mortal
  /** Shared by the lanes of a role: each takes the next. */
  readonly deaths: Array<Death>
  readonly toll: Toll
  readonly outage: Outage
  readonly bug?: Bug
  /** Of readers: see `WorkOptions`. */
  readonly option?: boolean
}

/** Processes of a role, one after the other, until all deaths are died. */
export const lane = async ({
  bug,
  deaths,
  option = false,
  outage,
  place,
  role,
  servers,
  toll
}: LaneOptions): Promise<void> => {
  const options: WorkOptions = { role, ...place, option, ...(bug !== undefined && { bug }) }
  let life: Life = servers.lives.begin(options)
  /** Whether this death was died. */
  const die = async (death: Death): Promise<boolean> => {
    if (life.isOver) life = servers.lives.begin(options)
    const how = await life.reaches(death, lateMillis)
    // One that starts while the broker is away ends by itself.
    if (how === "ended" && (death.victim !== "process" || (await life.ended) !== "SIGKILL")) return false
    if (death.victim !== "process") await outage(death.victim, () => life.order({ order: "go on" }))
    else if (how === "late") {
      life.signal("SIGKILL")
      await life.ended
    }
    toll.add(death, role, how === "late" ? "late" : "reached")
    return true
  }
  for (let death = deaths.shift(); death !== undefined; death = deaths.shift())
    while (!(await die(death))) await delay(100)
  life.signal("SIGKILL")
  await life.ended
}
