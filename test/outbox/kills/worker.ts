/** A writer, a relay or a reader as a process, which dies, or has its database or broker killed, at one of its statements. */
import { createEventBus, EventBus } from "@eduflow/events"
import { createOutbox, type Execute } from "@eduflow/events/outbox"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { randomInt } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import { setWallClock } from "../../chaos/WallClock.ts"
import { brokenBy } from "./BrokenStatements.ts"
import { type Client, type ClientPool, openPool, withConnection } from "./Client.ts"
import * as PoolClient from "./PoolClient.ts"
import { Counted, type Death, keys, longKey, type Order, reader, type Word, type WorkOptions } from "./Work.ts"

let death: Death | undefined
let reached = 0
let goOn = Promise.withResolvers<void>()

const say = (word: Word): void => void process.send?.(word)

const end = async ({ victim }: Death): Promise<void> => {
  if (victim === "process") process.kill(process.pid, "SIGKILL")
  death = undefined
  goOn = Promise.withResolvers<void>()
  say({ word: "reached" })
  await goOn.promise
}

/** Runs a statement of the life of this process. */
const run = async (client: Client, text: string, parameters: ReadonlyArray<unknown> = []) => {
  const planned = death
  const isLast = planned !== undefined && text.includes(planned.statement) && ++reached === planned.count
  if (isLast && planned.when === "before") await end(planned)
  const rows = await client.query(text, parameters)
  if (isLast && planned.when === "after") await end(planned)
  if (isLast && planned.when === "soon after") setTimeout(() => void end(planned), randomInt(4))
  return rows
}

const within =
  (client: Client): Execute =>
  (text, parameters) =>
    run(client, text, parameters)

const poolOf = (database: string): ClientPool => openPool(database, 8)

/** The row that says in which order the transactions of its key committed. */
const moves = {
  postgres:
    "WITH moved AS (UPDATE counters SET n = n + 1 WHERE k = $1 RETURNING n) INSERT INTO moves (k, n, id) SELECT $2, n, $3 FROM moved",
  mysql: "INSERT INTO moves (k, n, id) SELECT ?, n, ? FROM counters WHERE k = ?"
} as const

const move = async (pool: ClientPool, client: Client, k: string, id: string): Promise<void> => {
  if (pool.dialect === "mysql") {
    await run(client, "UPDATE counters SET n = n + 1 WHERE k = ?", [k])
    await run(client, moves.mysql, [k, id, k])
  } else await run(client, moves.postgres, [k, k, id])
}

/** One transaction after the other: an event and the row that says in which order the transactions of its key committed. */
const write = async ({ bug, database }: WorkOptions): Promise<never> => {
  const pool = poolOf(database)
  const onPool: Execute = (text, parameters) => run(pool, text, parameters)
  const outbox = await createOutbox({
    source: "counter",
    dialect: pool.dialect,
    execute: onPool,
    ordering: bug === "no-lock" ? "none" : "key"
  })
  const transaction = async (client: Client): Promise<void> => {
    const k = keys[randomInt(keys.length)] ?? "a"
    await run(client, "BEGIN")
    const id = crypto.randomUUID()
    const append = (execute: Execute): Promise<unknown> => outbox.append(execute, Counted, { k }, { id })
    if (bug !== "append-behind") await append(bug === "append-outside" ? onPool : within(client))
    if (randomInt(8) === 0) await delay(randomInt(60))
    await move(pool, client, k, id)
    const isKept = randomInt(10) > 0
    await run(client, isKept ? "COMMIT" : "ROLLBACK")
    if (bug === "append-behind" && isKept) await append(onPool)
  }
  const one = async (): Promise<never> => {
    for (;;) {
      await withConnection(pool, transaction).catch(() => delay(50))
      await delay(randomInt(4))
    }
  }
  return Promise.race(Array.from({ length: 4 }, one))
}

/** How many later events are published before a long transaction commits. */
const overtakers = 50

const writeLong = async ({ database }: WorkOptions): Promise<never> => {
  const pool = poolOf(database)
  const onPool: Execute = (text, parameters) => run(pool, text, parameters)
  const outbox = await createOutbox({ source: "counter", dialect: pool.dialect, execute: onPool })
  const later = async (position: number): Promise<number> => {
    const [row] = await pool.query(
      `SELECT count(*) AS n FROM eventbus_outbox WHERE state = 1 AND position > ${position} AND event_key <> '${longKey}'`
    )
    return Number(row?.["n"])
  }
  const once = async (client: Client): Promise<void> => {
    await client.query("BEGIN")
    const { id, position } = await outbox.append(within(client), Counted, { k: longKey })
    let by = 0
    while ((by = await later(position)) < overtakers) await delay(50)
    await move(pool, client, longKey, id)
    await client.query("COMMIT")
    say({ word: "overtaken", by })
  }
  for (;;) await withConnection(pool, once).catch(() => delay(50))
}

const relay = async ({ broker, bug, database, lease, namespace }: WorkOptions): Promise<void> => {
  const pool = poolOf(database)
  const bus = await createEventBus({ url: broker, namespace, source: "counter" })
  const asked = Promise.withResolvers<void>()
  process.once("SIGTERM", () => asked.resolve())
  const outbox = await createOutbox({
    source: "counter",
    dialect: pool.dialect,
    execute: brokenBy(bug, (text, parameters) => run(pool, text, parameters)),
    relayTo: bus,
    relay: { poll: 20, lease, batch: 50 }
  })
  await asked.promise
  await outbox.close()
  process.exit(0)
}

const placeholder = ({ dialect }: ClientPool): string => (dialect === "mysql" ? "?" : "$1")

/** A handler whose effect is a row that nothing else makes unique. */
const read = async ({ broker, bug, database, namespace }: WorkOptions): Promise<void> => {
  const pool = poolOf(database)
  const onPool: Execute = (text, parameters) => run(pool, text, parameters)
  const bus = await createEventBus({ url: broker, namespace, source: "reader" })
  const outbox = await createOutbox({ source: "reader", dialect: pool.dialect, execute: onPool })
  await bus.subscribe(reader, {
    events: [Counted],
    prefetch: 4,
    handler: (event) =>
      withConnection(pool, async (client) => {
        await run(client, "BEGIN")
        const marked = await outbox.isFirst(bug === "mark-outside" ? onPool : within(client), reader, event)
        if (marked || bug === "no-mark")
          await run(client, `INSERT INTO applied (id) VALUES (${placeholder(pool)})`, [event.id])
        await run(client, "COMMIT")
      })
  })
}

/** The same with the option of the subscriber. */
const readWithOption = async ({ broker, database, namespace }: WorkOptions): Promise<never> => {
  const services = Layer.merge(
    EventBus.layerAmqp({ url: broker, namespace, source: "reader" }),
    PoolClient.layer(poolOf(database), run)
  )
  const subscribed = Effect.gen(function* () {
    const bus = yield* EventBus
    const sql = yield* SqlClient.SqlClient
    yield* bus.subscribe(reader, {
      events: [Counted],
      inbox: true,
      prefetch: 4,
      handler: (event) => sql`INSERT INTO applied (id) VALUES (${event.id})`
    })
    return yield* Effect.never
  })
  return Effect.runPromise(Effect.scoped(subscribed).pipe(Effect.provide(services)))
}

const roles = {
  writer: write,
  long: writeLong,
  relay,
  reader: (options: WorkOptions) => (options.option === true ? readWithOption(options) : read(options))
}

process.on("disconnect", () => process.exit(0))
// Its test alone sends messages.
process.on("message", (message: Order) => {
  switch (message.order) {
    case "work": {
      death = message.options.death
      // A process that starts while the broker is away ends by itself.
      roles[message.options.role](message.options).catch(() => process.exit(1))
      break
    }
    case "die": {
      reached = 0
      death = message.death
      break
    }
    case "go on": {
      // Its server was killed although it did not reach its statement in time: nobody would let it go on later.
      death = undefined
      goOn.resolve()
      break
    }
    case "set the clock": {
      setWallClock(message.millis)
    }
  }
})
