/** A database and a subscriber of a run's own, on servers that are killed: what was committed, and what arrived. */
import { setTimeout as delay } from "node:timers/promises"
import { createEventBus } from "../../../src/index.ts"
import { createOutbox } from "../../../src/outbox/index.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { openPool } from "./Client.ts"
import type { DatabaseServer } from "./DatabaseServer.ts"
import { type Arrival, judge, type Move, type Verdict } from "./Judge.ts"
import type { Lives } from "./Lives.ts"
import { Counted, keys, longKey, type WorkOptions } from "./Work.ts"

export interface Servers {
  readonly database: DatabaseServer
  readonly rabbit: RabbitNode
  readonly lives: Lives
}

/** Where the processes of a run work. */
export type Place = Pick<WorkOptions, "database" | "broker" | "namespace" | "lease">

/** How long a query may fail because the database was killed. */
const patienceMillis = 60_000

export interface KillWorld extends AsyncDisposable {
  readonly servers: Servers
  readonly place: Place
  readonly query: <Row>(text: string, parameters?: ReadonlyArray<unknown>) => Promise<ReadonlyArray<Row>>
  /** The first number that a query returns. */
  readonly number: (text: string) => Promise<number>
  /** Waits until all that was committed has arrived, as long as something moves within `millis`; returns whether it has. */
  readonly settles: (millis: number) => Promise<boolean>
  readonly verdict: () => Promise<Verdict>
}

let worlds = 0

/** A pool over a database that is killed now and then. */
export const patientPool = (url: string) => {
  const pool = openPool(url, 4)
  const query = async <Row>(text: string, parameters: ReadonlyArray<unknown> = []): Promise<ReadonlyArray<Row>> => {
    for (const deadline = performance.now() + patienceMillis; ; await delay(100)) {
      try {
        // The caller knows what it selects.
        return (await pool.query(text, parameters)) as ReadonlyArray<Row>
      } catch (error) {
        if (performance.now() > deadline) throw error
      }
    }
  }
  const number = async (text: string): Promise<number> =>
    Number(Object.values((await query<Record<string, unknown>>(text))[0] ?? {})[0])
  return { dialect: pool.dialect, query, number, end: pool.end }
}

/** A number that no other run on this broker has. */
export const freshPlace = async (servers: Servers, lease: number): Promise<Place> => ({
  database: await servers.database.addDatabase(`kills_${worlds}`),
  namespace: `kills-${worlds++}`,
  broker: servers.rabbit.url,
  lease
})

export const openWorld = async (servers: Servers, lease = 1000): Promise<KillWorld> => {
  const place = await freshPlace(servers, lease)
  const { dialect, end, number, query } = patientPool(place.database)
  await using outbox = await createOutbox({
    source: "counter",
    dialect,
    execute: (text, parameters) => query(text, parameters)
  })
  await outbox.migrate()
  await query("CREATE TABLE counters (k varchar(20) PRIMARY KEY, n integer NOT NULL DEFAULT 0)")
  await query(`INSERT INTO counters (k) VALUES ${[...keys, longKey].map((k) => `('${k}')`).join(", ")}`)
  await query("CREATE TABLE moves (k varchar(20), n integer, id varchar(64) PRIMARY KEY)")
  const arrivals: Array<Arrival> = []
  const bus = await createEventBus({ url: place.broker, namespace: place.namespace, source: "judge" })
  await bus.subscribe("outbox.judge", {
    events: [Counted],
    ordering: "key",
    handler: ({ data, id }) => {
      arrivals.push({ k: data.k, id })
    }
  })
  await servers.rabbit.flush()

  const verdict = async (): Promise<Verdict> => judge(await query<Move>("SELECT k, n, id FROM moves"), arrivals)
  const settles = async (millis: number): Promise<boolean> => {
    let before = ""
    let deadline = performance.now() + millis
    for (;;) {
      const pending = await number("SELECT count(*) FROM eventbus_outbox WHERE state = 0")
      const { missing } = await verdict()
      if (pending === 0 && missing === 0) return true
      const now = `${pending} ${missing}`
      if (now !== before) deadline = performance.now() + millis
      before = now
      if (performance.now() > deadline) return false
      await delay(50)
    }
  }
  return {
    servers,
    place,
    query,
    number,
    settles,
    verdict,
    [Symbol.asyncDispose]: async () => {
      await bus.close()
      await end()
    }
  }
}
