/**
 * The outbox on PostgreSQL and RabbitMQ, against what it stands beside: an append against a plain INSERT of the same bytes,
 * and the relay against `publishAll` from memory, before and after many rows that were sent.
 *
 *   npm run bench:outbox -- [events] [rows that were sent]
 */
import { createEventBus, Event } from "../src/index.ts"
import { createOutbox } from "../src/outbox/index.ts"
import { Schema } from "effect"
import { Client, Pool } from "pg"
import { setTimeout as delay } from "node:timers/promises"
import { startPostgres } from "../test/support/PostgresNode.ts"
import { startRabbit } from "../test/support/RabbitNode.ts"

const [events = 10_000, sentRows = 1_000_000] = process.argv.slice(2).map(Number)
const rounds = 5
const perTransaction = 200

const Placed = Event.make("bench.order.placed", {
  version: 1,
  data: Schema.Struct({ orderId: Schema.String, amount: Schema.Finite, note: Schema.String }),
  key: ({ orderId }) => orderId,
  cache: false
})
const dataOf = (n: number) => ({ orderId: `o-${n % 1000}`, amount: n, note: "x".repeat(200) })

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}

const postgres = await startPostgres()
const rabbit = await startRabbit({ schedulers: "all" })
const pool = new Pool({ connectionString: postgres.url })
const execute = async (text: string, parameters: ReadonlyArray<unknown>) =>
  (await pool.query(text, [...parameters])).rows
const client = new Client({ connectionString: postgres.url })
await client.connect()
const inClient = async (text: string, parameters: ReadonlyArray<unknown>) =>
  (await client.query(text, [...parameters])).rows

try {
  const writer = await createOutbox({ source: "bench", dialect: "postgres", execute })
  await writer.migrate()
  await client.query(
    "CREATE TABLE plain (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a smallint, b text, c text, d text, e text, f text)"
  )
  const transaction = async (one: (n: number) => Promise<unknown>): Promise<void> => {
    await client.query("BEGIN")
    for (let n = 0; n < perTransaction; n++) await one(n)
    await client.query("COMMIT")
  }
  const append = (n: number): Promise<unknown> => writer.append(inClient, Placed, dataOf(n))
  await transaction(append)
  const { rows } = await client.query("SELECT * FROM eventbus_outbox LIMIT 1")
  const { body, event, event_id, event_key, meta, partition } = rows[0] ?? {}
  const insert = (): Promise<unknown> =>
    inClient("INSERT INTO plain (a, b, c, d, e, f) VALUES ($1, $2, $3, $4, $5, $6) RETURNING position", [
      partition,
      event_id,
      event,
      event_key,
      body,
      meta
    ])
  await transaction(insert)
  const [appends, inserts]: [Array<number>, Array<number>] = [[], []]
  for (let round = 0; round < 3 * rounds; round++) {
    inserts.push((await seconds(() => transaction(insert))) / perTransaction)
    appends.push((await seconds(() => transaction(append))) / perTransaction)
  }
  const micros = (values: ReadonlyArray<number>): string => `${(median(values) * 1e6).toFixed(0)} µs`
  console.log(`INSERT ${micros(inserts)}, append ${micros(appends)}: ${(median(appends) / median(inserts)).toFixed(2)}`)

  await using bus = await createEventBus({ url: rabbit.url, namespace: "bench", source: "bench" })
  const bound = await bus.subscribe("bench.reader", { events: [Placed], handler: () => {} })
  await bound.drain()
  // Autovacuum would do it meanwhile.
  const settle = (): Promise<unknown> => pool.query("VACUUM ANALYZE eventbus_outbox")
  const fill = async (count: number): Promise<void> => {
    // As many rows as one append made, with keys of their own.
    await pool.query("TRUNCATE eventbus_outbox")
    await pool.query(
      "INSERT INTO eventbus_outbox (partition, event_id, event, event_key, body, meta) SELECT n % 4, 'e-' || n, $1, 'o-' || n % 1000, $2, $3 FROM generate_series(1, $4::integer) n",
      [event, body, meta, count]
    )
    await settle()
  }
  const waiting = async (): Promise<number> => {
    const counted = await pool.query(
      "SELECT count(*) AS n FROM (SELECT 1 FROM eventbus_outbox WHERE state = 0 LIMIT 1) first"
    )
    return Number(counted.rows[0]?.n)
  }
  const relayed = async (): Promise<number> => {
    await using _ = await createOutbox({ source: "bench", dialect: "postgres", execute, relayTo: bus })
    return await seconds(async () => {
      while ((await waiting()) > 0) await delay(10)
    })
  }
  const [direct, relays, beside]: [Array<number>, Array<number>, Array<number>] = [[], [], []]
  const items = Array.from({ length: events }, (_, n) => dataOf(n))
  for (let round = 0; round < rounds; round++) {
    direct.push(events / (await seconds(() => bus.publishAll(Placed, items))))
    await fill(events)
    relays.push(events / (await relayed()))
  }
  const rate = (values: ReadonlyArray<number>): string => `${median(values).toFixed(0)}/s`
  const share = (values: ReadonlyArray<number>): string => (median(values) / median(direct)).toFixed(2)
  console.log(`publishAll ${rate(direct)}, relay ${rate(relays)}: ${share(relays)}`)

  for (let round = 0; round < rounds; round++) {
    await fill(events)
    if (round === 0) console.log(`with ${sentRows} rows that were sent`)
    await pool.query(
      "INSERT INTO eventbus_outbox (partition, state, event_id, event, event_key, body, meta, settled_at) SELECT n % 4, 1, 'e-' || n, $1, 'o-' || n % 1000, 'sent', '{}', now() FROM generate_series(1, $2::integer) n",
      [event, sentRows]
    )
    await settle()
    beside.push(events / (await relayed()))
  }
  console.log(`relay beside ${sentRows} rows that were sent ${rate(beside)}: ${share(beside)}`)
} finally {
  await client.end()
  await pool.end()
  await Promise.all([postgres.stop(), rabbit.stop()])
}
