/** Writers, relays, database and broker that are killed at each statement, while relays race and transactions overlap. */
import { setTimeout as delay } from "node:timers/promises"
import { deathsUpTo, interleave, lane, outagesOf, Toll } from "./Deaths.ts"
import { type Verdict, type Violation, violationsOf } from "./Judge.ts"
import { type KillWorld, openWorld, type Servers } from "./KillWorld.ts"
import type { Life } from "./Lives.ts"
import type { Mortal } from "./Work.ts"

/** How often each is killed. */
export interface KillCounts {
  readonly writer: number
  readonly relay: number
  readonly database: number
  readonly broker: number
}

/** Shares of a total: a broker takes long to start. */
export const countsOf = (total: number): KillCounts => {
  const [writer, database, broker] = [0.4, 0.14, 0.06].map((share) => Math.round(total * share)) as [
    number,
    number,
    number
  ]
  return { writer, database, broker, relay: total - writer - database - broker }
}

/** Transactions that stayed open while later ones were published. */
export interface Long {
  committed: number
  /** Events that were published meanwhile. */
  by: number
}

export interface KillResult {
  readonly relays: number
  readonly toll: Toll
  readonly long: Long
  /** How often a relay stood still for longer than its lease, and went on. */
  readonly frozen: number
  readonly verdict: Verdict
  readonly violations: ReadonlyArray<Violation>
}

export const beginLong = (world: KillWorld): { readonly life: Life; readonly long: Long } => {
  const long = { committed: 0, by: 0 }
  const life = world.servers.lives.begin({ role: "long", ...world.place })
  life.onWord = (said) => {
    if (said.word !== "overtaken") return
    long.committed++
    long.by += said.by
  }
  return { life, long }
}

/** A relay that hangs for longer than its lease, again and again, and goes on with what it had read. */
const freezing = (world: KillWorld) => {
  let isOver = false
  let frozen = 0
  const freeze = async (): Promise<void> => {
    let life = world.servers.lives.begin({ role: "relay", ...world.place })
    while (!isOver) {
      await delay(1_500)
      // It has ended where it began while the broker was away.
      if (life.isOver) life = world.servers.lives.begin({ role: "relay", ...world.place })
      life.signal("SIGSTOP")
      await delay(2 * world.place.lease)
      life.signal("SIGCONT")
      frozen++
    }
    life.signal("SIGKILL")
    await life.ended
  }
  const ended = freeze()
  return {
    frozen: () => frozen,
    stop: () => {
      isOver = true
      return ended
    }
  }
}

/** How long nothing may move in the end. */
const patienceMillis = 30_000

export const killRun = async (servers: Servers, relays: number, counts: KillCounts): Promise<KillResult> => {
  await using world = await openWorld(servers)
  const toll = new Toll()
  const outage = outagesOf(servers)
  const { dialect } = servers.database
  const half = (n: number): number => Math.floor(n / 2)
  const deaths = {
    writer: interleave(
      deathsUpTo(dialect, "writer", "process", counts.writer),
      deathsUpTo(dialect, "writer", "database", half(counts.database))
    ),
    relay: interleave(
      deathsUpTo(dialect, "relay", "process", counts.relay),
      deathsUpTo(dialect, "relay", "database", counts.database - half(counts.database)),
      deathsUpTo(dialect, "relay", "broker", counts.broker)
    )
  }
  const lanes = (role: Mortal & keyof typeof deaths, count: number): ReadonlyArray<Promise<void>> =>
    Array.from({ length: count }, () => lane({ servers, place: world.place, role, deaths: deaths[role], toll, outage }))
  // It has no death: there is always something to relay.
  const writer = servers.lives.begin({ role: "writer", ...world.place })
  const { life, long } = beginLong(world)
  const freezer = freezing(world)
  await Promise.all([...lanes("writer", 2), ...lanes("relay", relays)])
  await freezer.stop()
  for (const one of [writer, life]) {
    one.signal("SIGKILL")
    await one.ended
  }
  const last = servers.lives.begin({ role: "relay", ...world.place })
  await world.settles(patienceMillis)
  last.signal("SIGKILL")
  await last.ended
  const verdict = await world.verdict()
  return { relays, toll, long, frozen: freezer.frozen(), verdict, violations: violationsOf(verdict) }
}
