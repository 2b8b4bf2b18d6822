/** `npm run chaos -- --outbox`: the whole run, or its planted bugs. */
import { startRabbit } from "../../support/RabbitNode.ts"
import { bugsOn, runControls } from "./Controls.ts"
import { type DatabaseName, missingDatabase, startDatabase } from "./DatabaseServer.ts"
import { inboxKills, readerDeaths } from "./InboxKills.ts"
import type { Toll } from "./Deaths.ts"
import type { Verdict, Violation } from "./Judge.ts"
import type { Servers } from "./KillWorld.ts"
import { countsOf, killRun } from "./KillRun.ts"
import { Lives } from "./Lives.ts"
import { clockRun, race } from "./Races.ts"

export const openServers = async (name: DatabaseName = "postgres"): Promise<Servers & AsyncDisposable> => {
  const reason = await missingDatabase(name)
  if (reason !== undefined) throw new Error(reason)
  const [database, rabbit] = await Promise.all([startDatabase(name), startRabbit()])
  const lives = await Lives.open()
  return {
    database,
    rabbit,
    lives,
    [Symbol.asyncDispose]: async () => {
      await lives[Symbol.asyncDispose]()
      await Promise.all([database.stop(), rabbit.stop()])
    }
  }
}

export interface ChaosOptions {
  /** Kills of writers, relays, database and broker. */
  readonly kills: number
  /** Kills of readers, with their database and broker. */
  readonly inboxKills: number
  readonly print: (line: string) => void
}

const ofVerdict = ({ committed, disordered, foreign, missing, repeated }: Verdict): string =>
  `${committed} transactions committed: rows without their event ${missing}, events without their row ${foreign}, ` +
  `out of the order of their key ${disordered}, repeated with the same id ${repeated}`

const ofToll = (toll: Toll): string =>
  `${toll.total} kills (${[...toll.byVictim].map(([who, n]) => `${who} ${n}`).join(", ")}) at ` +
  `${toll.byPlace.size} places, ${toll.late} of them elsewhere` +
  (toll.late > 0 ? ` (late: ${[...toll.lateAt].map(([place, n]) => `${place} ${n}`).join("; ")})` : "")

interface Part {
  readonly violations: ReadonlyArray<Violation>
}

type Parts = Record<string, Part>
type Print = (line: string) => void

const outboxParts = async (servers: Servers, kills: number, print: Print): Promise<Parts> => {
  const parts: Parts = {}
  const half = Math.floor(kills / 2)
  for (const [relays, count] of [
    [2, half],
    [4, kills - half]
  ] as const) {
    const result = await killRun(servers, relays, countsOf(count))
    print(`${relays} relays: ${ofToll(result.toll)}`)
    print(`  ${ofVerdict(result.verdict)}`)
    const { committed, by } = result.long
    print(`  ${committed} long transactions committed after ${by} later events were published; frozen ${result.frozen}`)
    parts[`${relays} relays`] = result
  }
  for (const relays of [2, 4]) {
    const result = await race(servers, { relays, events: 3_000 })
    print(`a race of ${relays} relays without a kill, ${result.changes} left and came: ${ofVerdict(result.verdict)}`)
    parts[`race of ${relays}`] = result
  }
  const clocks = await clockRun(servers, 2)
  const which = servers.database.setClock === undefined ? "processes (no libfaketime)" : "database and processes"
  print(`clocks of ${which}: ${clocks.jumps} jumps by an hour, a relay killed after each: ${ofVerdict(clocks.verdict)}`)
  return { ...parts, clocks }
}

const inboxParts = async (servers: Servers, kills: number, print: Print): Promise<Parts> => {
  const parts: Parts = {}
  const half = Math.floor(kills / 2)
  for (const [name, option, count] of [
    ["inbox by isFirst", false, half],
    ["inbox: true", true, kills - half]
  ] as const) {
    const inbox = await inboxKills(servers, { deaths: readerDeaths(servers.database.dialect, count), lanes: 3, option })
    const { again, effects, events, replayed, toll, violations } = inbox
    print(`${name}: ${ofToll(toll)}`)
    print(
      `  ${events + 1} events, ${again} of them published again, ${replayed} replayed: ${effects} effects, ` +
        (violations.map(({ count, rule }) => `${rule} ${count}`).join(", ") || "twice 0, missing 0")
    )
    parts[name] = inbox
  }
  return parts
}

export const chaos = async (servers: Servers, { inboxKills: ofInbox, kills, print }: ChaosOptions) => {
  const parts = {
    ...(kills > 0 && (await outboxParts(servers, kills, print))),
    ...(ofInbox > 0 && (await inboxParts(servers, ofInbox, print)))
  }
  for (const [name, { violations }] of Object.entries(parts))
    for (const { count, rule } of violations) print(`VIOLATION in ${name}: ${rule}, ${count}`)
  return { parts, isGood: Object.values(parts).every(({ violations }) => violations.length === 0) }
}

/** Each planted bug, or those that are named. */
export const chaosControls = async (servers: Servers, print: (line: string) => void, only: string | undefined) => {
  const which = bugsOn(servers).filter((bug) => only === undefined || only.split(",").includes(bug))
  const results = await runControls(servers, print, which)
  return { results, isGood: results.every(({ isCaught, isGreenWithout }) => isCaught && isGreenWithout) }
}
