/** A test of the judgement: each bug must turn its run red, by its rule, and the same run without the bug is green. */
import { deathsUpTo, lane, outagesOf, Toll } from "./Deaths.ts"
import { inboxKills } from "./InboxKills.ts"
import { type Rule, type Violation, violationsOf } from "./Judge.ts"
import { openWorld, type Servers } from "./KillWorld.ts"
import { clockRun, plain, race } from "./Races.ts"
import { type Bug, bugs, type Death, deathsOf, type Mortal } from "./Work.ts"

type Play = (servers: Servers, bug?: Bug) => Promise<ReadonlyArray<Violation>>

export interface Control {
  readonly rule: Rule
  readonly guarantee: string
  readonly play: Play
}

const many = 1_000

const playPlain: Play = (servers, bug) => plain(servers, many, bug)

/** Dies at this statement again and again. */
const dying =
  (role: Mortal, at: string): Play =>
  async (servers, bug) => {
    await using world = await openWorld(servers)
    const own = { ...world.place, ...(bug !== undefined && { bug }) }
    const isThis = (death: Death): boolean => death.at === `${role} ${at}` && death.when === "after"
    const deaths = [1, 2, 3].flatMap(() => deathsOf(role, "process", servers.database.dialect).filter(isThis))
    const writer = servers.lives.begin({ role: "writer", ...own })
    const relay = role === "writer" ? servers.lives.begin({ role: "relay", ...own }) : undefined
    const parts = { servers, place: world.place, role, toll: new Toll(), outage: outagesOf(servers) }
    await lane({ ...parts, deaths, ...(bug !== undefined && { bug }) })
    writer.signal("SIGKILL")
    await writer.ended
    const last = relay ?? servers.lives.begin({ role: "relay", ...own })
    await world.settles(10_000)
    last.signal("SIGKILL")
    await last.ended
    return violationsOf(await world.verdict())
  }

const racing =
  (clock?: number): Play =>
  async (servers, bug) => {
    const options = {
      relays: 2,
      events: many,
      ...(clock !== undefined && { clock }),
      ...(bug !== undefined && { bug })
    }
    return (await race(servers, options)).violations
  }

const playInbox: Play = async (servers, bug) =>
  (
    await inboxKills(servers, {
      deaths: deathsUpTo(servers.database.dialect, "reader", "process", 36),
      lanes: 2,
      ...(bug !== undefined && { bug })
    })
  ).violations

export const controls: Readonly<Record<Bug, Control>> = {
  "no-lock": { rule: "order", guarantee: "events of a key have the order of their commits", play: playPlain },
  cursor: {
    rule: "row without its event",
    guarantee: "a transaction that commits after later ones is not skipped",
    play: playPlain
  },
  "append-outside": {
    rule: "event without its row",
    guarantee: "what is rolled back is never published",
    play: playPlain
  },
  "append-behind": {
    rule: "row without its event",
    guarantee: "what is committed is published though its writer is killed",
    play: dying("writer", "commit")
  },
  "mark-before-publish": {
    rule: "row without its event",
    guarantee: "what is committed is published though its relay is killed",
    play: dying("relay", "mark")
  },
  "new-ids": { rule: "event without its row", guarantee: "what comes again has its id", play: playPlain },
  "no-lease": {
    rule: "repeated without a kill",
    guarantee: "a partition is published by one relay at a time",
    play: racing()
  },
  "lease-by-own-clock": {
    rule: "repeated without a kill",
    guarantee: "a relay whose clock is wrong takes nothing from others",
    play: racing(3_600_000)
  },
  "lease-trusts-clock": {
    rule: "stands still",
    guarantee: "a clock of the database that is set back stops no partition",
    play: async (servers, bug) => (await clockRun(servers, 1, bug)).violations
  },
  "no-mark": { rule: "effect twice", guarantee: "an effect happens at most once", play: playInbox },
  "mark-outside": { rule: "effect missing", guarantee: "an effect happens at least once", play: playInbox }
}

export interface ControlResult {
  readonly bug: Bug
  readonly isCaught: boolean
  readonly isGreenWithout: boolean
}

const shown = (violations: ReadonlyArray<Violation>): string =>
  violations.map(({ count, rule }) => `${rule} ${count}`).join(", ") || "no violation"

/** The clock of the database can only be set with Debian's libfaketime. */
export const bugsOn = ({ database }: Servers): ReadonlyArray<Bug> =>
  bugs.filter((bug) => bug !== "lease-trusts-clock" || database.setClock !== undefined)

export const runControls = async (
  servers: Servers,
  print: (line: string) => void,
  which: ReadonlyArray<Bug>
): Promise<ReadonlyArray<ControlResult>> => {
  const results: Array<ControlResult> = []
  /** Runs that several bugs share. */
  const greens = new Map<Play, ReadonlyArray<Violation>>()
  for (const bug of which) {
    const { guarantee, play, rule } = controls[bug]
    const green = greens.get(play) ?? (await play(servers))
    greens.set(play, green)
    const red = await play(servers, bug)
    const isCaught = red.some((violation) => violation.rule === rule)
    results.push({ bug, isCaught, isGreenWithout: green.length === 0 })
    print(`${bug} (${guarantee}): ${isCaught ? "caught" : "NOT CAUGHT"}, ${shown(red)}`)
    print(`  without it: ${green.length === 0 ? "green" : `RED, ${shown(green)}`}`)
  }
  const good = results.filter(({ isCaught, isGreenWithout }) => isCaught && isGreenWithout).length
  print(`${good} of ${results.length} bugs caught`)
  return results
}
