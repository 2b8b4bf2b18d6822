/** A writer or a relay as a process, which kills itself at one of its statements. */
import { createEventBus } from "@eduflow/events"
import { createOutbox, type Execute } from "@eduflow/events/outbox"
import { randomInt } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import { type ClientBase, Pool } from "pg"
import { Counted, keys, reader, type WorkOptions } from "./Work.ts"

// Written by the test that started it.
const { broker, bug, database, death, namespace, role } = JSON.parse(process.argv[2] ?? "{}") as WorkOptions

const pool = new Pool({ connectionString: database, max: 8 })
pool.on("error", () => {})

const die = (): void => void process.kill(process.pid, "SIGKILL")

let reached = 0
/** Runs a statement of the life of this process. */
const run = async (client: ClientBase | Pool, text: string, parameters: ReadonlyArray<unknown> = []) => {
  const isLast = death !== undefined && text.includes(death.statement) && ++reached === death.count
  if (isLast && death?.when === "before") die()
  const { rows } = await client.query(text, [...parameters])
  if (isLast && death?.when === "after") die()
  if (isLast && death?.when === "soon after") setTimeout(die, randomInt(4))
  return rows
}

/** A relay as it should not be: it reads what comes after the last position that it has read. */
const cursors = new Map<unknown, number>()
const withCursor: Execute = async (text, parameters) => {
  if (!text.includes("AS before")) return run(pool, text, parameters)
  const [partition] = parameters
  const cursor = cursors.get(partition) ?? 0
  const rows = await run(pool, text.replace("WHERE state = 0", `WHERE state = 0 AND position > ${cursor}`), parameters)
  for (const row of rows) cursors.set(partition, Math.max(cursors.get(partition) ?? 0, Number(row.position)))
  return rows
}

const execute: Execute = bug === "cursor" ? withCursor : (text, parameters) => run(pool, text, parameters)

/** One transaction after the other: an event and the row that says in which order the transactions of its key committed. */
const write = async (): Promise<never> => {
  const outbox = await createOutbox({
    source: "counter",
    dialect: "postgres",
    execute,
    ordering: bug === "no lock" ? "none" : "key"
  })
  const once = async (): Promise<void> => {
    const client = await pool.connect()
    let isBroken = false
    client.on("error", () => {
      isBroken = true
    })
    try {
      const k = keys[randomInt(keys.length)] ?? "a"
      await run(client, "BEGIN")
      const { id } = await outbox.append((text, parameters) => run(client, text, parameters), Counted, { k })
      if (randomInt(8) === 0) await delay(randomInt(60))
      await run(
        client,
        "WITH moved AS (UPDATE counters SET n = n + 1 WHERE k = $1 RETURNING n) INSERT INTO moves (k, n, id) SELECT $2, n, $3 FROM moved",
        [k, k, id]
      )
      await run(client, randomInt(10) === 0 ? "ROLLBACK" : "COMMIT")
    } catch {
      // The database was killed: what was not committed never was.
      isBroken = true
    } finally {
      client.release(isBroken)
    }
  }
  for (;;) {
    await once().catch(() => delay(50))
    await delay(randomInt(4))
  }
}

const relay = async (): Promise<void> => {
  const bus = await createEventBus({ url: broker, namespace, source: "counter" })
  await createOutbox({
    source: "counter",
    dialect: "postgres",
    execute,
    relayTo: bus,
    relay: { poll: 20, lease: 1000, batch: 50 }
  })
}

/** A handler whose effect is a row that nothing else makes unique. */
const read = async (): Promise<void> => {
  const bus = await createEventBus({ url: broker, namespace, source: "reader" })
  const outbox = await createOutbox({ source: "reader", dialect: "postgres", execute })
  await bus.subscribe(reader, {
    events: [Counted],
    prefetch: 4,
    handler: async (event) => {
      const client = await pool.connect()
      let isBroken = true
      try {
        const within: Execute = (text, parameters) => run(client, text, parameters)
        await run(client, "BEGIN")
        if (await outbox.isFirst(within, reader, event))
          await run(client, "INSERT INTO applied (id) VALUES ($1)", [event.id])
        await run(client, "COMMIT")
        isBroken = false
      } finally {
        client.release(isBroken)
      }
    }
  })
}

process.on("SIGTERM", () => process.exit(0))
if (role === "relay") await relay()
else if (role === "reader") await read()
else await Promise.all(Array.from({ length: 4 }, write))
