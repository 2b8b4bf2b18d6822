/** Readers that are killed at each statement, with their database and their broker: no effect twice, and none missing. */
import { setTimeout as delay } from "node:timers/promises"
import { createEventBus } from "../../../src/index.ts"
import { createOutbox, type DialectName } from "../../../src/outbox/index.ts"
import { deathsUpTo, interleave, lane, outagesOf, Toll } from "./Deaths.ts"
import type { Violation } from "./Judge.ts"
import { freshPlace, patientPool, type Servers } from "./KillWorld.ts"
import { type Bug, Counted, type Death, keys, reader } from "./Work.ts"

export interface InboxResult {
  readonly toll: Toll
  readonly events: number
  /** Publishes of an event that was published before. */
  readonly again: number
  /** Events that came back too often, were dead letters and were replayed. */
  readonly replayed: number
  readonly effects: number
  readonly violations: ReadonlyArray<Violation>
}

export interface InboxOptions {
  readonly deaths: ReadonlyArray<Death>
  readonly lanes: number
  readonly bug?: Bug
  /** Whether the readers are subscribers with `inbox: true`. */
  readonly option?: boolean
}

/** Deaths of the reader itself, and of what it works with. */
export const readerDeaths = (dialect: DialectName, total: number): ReadonlyArray<Death> => {
  const [database, broker] = [Math.round(total * 0.1), Math.round(total * 0.02)]
  return interleave(
    deathsUpTo(dialect, "reader", "process", total - database - broker),
    deathsUpTo(dialect, "reader", "database", database),
    deathsUpTo(dialect, "reader", "broker", broker)
  )
}

/** A death takes up to eight events. */
const eventsOfDeath = 12
/** How long nothing may move in the end. */
const patienceMillis = 30_000

export const inboxKills = async (servers: Servers, options: InboxOptions): Promise<InboxResult> => {
  const { bug, deaths, lanes, option = false } = options
  const place = await freshPlace(servers, 1000)
  const { dialect, end, number, query } = patientPool(place.database)
  await using outbox = await createOutbox({ source: "counter", dialect, execute: query })
  await outbox.migrate()
  await query("CREATE TABLE applied (id text NOT NULL)")
  const { broker: url, namespace } = place
  await using bus = await createEventBus({ url, namespace, source: "counter" })
  const publish = (n: number) => bus.publish(Counted, { k: keys[n % keys.length] ?? "a" }, { id: `e-${n}` })
  // The queue of the readers is there from now on.
  const first = servers.lives.begin({ role: "reader", ...place, option })
  while (!(await publish(0)).routed) await delay(100)
  first.signal("SIGKILL")
  await first.ended
  await servers.rabbit.flush()

  const events = eventsOfDeath * deaths.length
  const again = Array.from({ length: Math.floor(events / 10) }, (_, n) => n * 10)
  const pages = async (all: ReadonlyArray<number>): Promise<void> => {
    for (let n = 0; n < all.length; n += 100) await Promise.all(all.slice(n, n + 100).map(publish))
  }
  await pages(Array.from({ length: events }, (_, n) => n))
  await pages(again)
  const toll = new Toll()
  const parts = { servers, place, role: "reader", toll, outage: outagesOf(servers) } as const
  const queue = [...deaths]
  await Promise.all(
    Array.from({ length: lanes }, () => lane({ ...parts, option, deaths: queue, ...(bug !== undefined && { bug }) }))
  )
  // What came before it in the queue has been handled when it is.
  await publish(events)
  const last = servers.lives.begin({ role: "reader", ...place, option, ...(bug !== undefined && { bug }) })
  const different = (): Promise<number> => number("SELECT count(DISTINCT id) FROM applied")
  let replayed = 0
  let before = -1
  for (let deadline = performance.now() + patienceMillis; performance.now() < deadline; await delay(100)) {
    const now = await different()
    if (now > events) break
    // A process that is killed returns what it holds: what came back too often is a dead letter.
    if ((await bus.deadLetters.count(reader)) > 0) replayed += (await bus.deadLetters.replay(reader, {})).replayed
    if (now !== before) deadline = performance.now() + patienceMillis
    before = now
  }
  last.signal("SIGKILL")
  await last.ended
  const [effects, distinct] = [await number("SELECT count(*) FROM applied"), await different()]
  await end()
  const violations: ReadonlyArray<Violation> = [
    { rule: "effect twice", count: effects - distinct },
    { rule: "effect missing", count: events + 1 - distinct }
  ]
  return {
    toll,
    events,
    again: again.length,
    replayed,
    effects,
    violations: violations.filter(({ count }) => count > 0)
  }
}
