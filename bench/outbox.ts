/**
 * The outbox on PostgreSQL and RabbitMQ, against what it stands beside: an append against a plain INSERT of the same bytes,
 * the relay against `publishAll` from memory, its lag at half of that rate, what it costs while nothing happens, and all of it
 * beside many rows that were sent.
 *
 *   npm run bench:outbox -- [events] [rows that were sent] [seconds of idling]
 */
import { createEventBus, Event } from "../src/index.ts"
import { createOutbox } from "../src/outbox/index.ts"
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import { Client, Pool } from "pg"
import { startPostgres } from "../test/support/PostgresNode.ts"
import { startRabbit } from "../test/support/RabbitNode.ts"

const [events = 10_000, sentRows = 10_000_000, idleSeconds = 30] = process.argv.slice(2).map(Number)
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

/** CPU of another process so far, in seconds. Linux counts in hundredths. */
const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
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
const names = new Map<string, string>()
/** As clients do that prepare each statement once. */
const prepared = async (text: string, parameters: ReadonlyArray<unknown>) => {
  const name = names.get(text) ?? `s${names.size}`
  names.set(text, name)
  return (await client.query({ name, text, values: [...parameters] })).rows
}
const numberOf = async (text: string, parameters: ReadonlyArray<unknown> = []): Promise<number> =>
  Number(Object.values((await execute(text, parameters))[0] ?? {})[0])

/** An append against a plain INSERT of the same bytes; returns a row that an append has made. */
const appending = async () => {
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
  const append =
    (run: typeof inClient) =>
    (n: number): Promise<unknown> =>
      writer.append(run, Placed, dataOf(n))
  await transaction(append(inClient))
  const { rows } = await client.query("SELECT * FROM eventbus_outbox LIMIT 1")
  const { body, event, event_id, event_key, meta, partition } = rows[0] ?? {}
  const insert = (run: typeof inClient) => (): Promise<unknown> =>
    run("INSERT INTO plain (a, b, c, d, e, f) VALUES ($1, $2, $3, $4, $5, $6) RETURNING position", [
      partition,
      event_id,
      event,
      event_key,
      body,
      meta
    ])
  const backend = Number((await inClient("SELECT pg_backend_pid() AS pid", []))[0]?.pid)
  /** Latency, and CPU of this process and of its connection's, for each statement. */
  const measured = async (one: (n: number) => Promise<unknown>) => {
    const [mine, theirs] = [process.cpuUsage(), cpuOf(backend)]
    const latency = await seconds(async () => {
      for (let n = 0; n < 5; n++) await transaction(one)
    })
    const { system, user } = process.cpuUsage(mine)
    const count = 5 * perTransaction
    return { latency: latency / count, cpu: ((user + system) / 1e6 + cpuOf(backend) - theirs) / count }
  }
  type Measured = Awaited<ReturnType<typeof measured>>
  for (const [how, run] of [
    ["prepared", prepared],
    ["not prepared", inClient]
  ] as const) {
    await measured(insert(run))
    await measured(append(run))
    const [appends, inserts]: [Array<Measured>, Array<Measured>] = [[], []]
    for (let round = 0; round < 2 * rounds; round++) {
      inserts.push(await measured(insert(run)))
      appends.push(await measured(append(run)))
    }
    for (const what of ["latency", "cpu"] as const) {
      const of = (values: ReadonlyArray<Measured>): string =>
        `${(median(values.map((value) => value[what])) * 1e6).toFixed(0)} µs`
      const ratio = median(appends.map((value, n) => value[what] / (inserts[n]?.[what] ?? 0)))
      console.log(
        `${what}, ${how}: INSERT ${of(inserts)}, append ${of(appends)}, ratio ${ratio.toFixed(2)} (at most 1.5)`
      )
    }
  }
  return { body, event, meta }
}

try {
  const { body, event, meta } = await appending()
  await using bus = await createEventBus({ url: rabbit.url, namespace: "bench", source: "bench" })
  const bound = await bus.subscribe("bench.reader", { events: [Placed], handler: () => {} })
  await bound.drain()
  // Autovacuum would do it meanwhile.
  const settle = (): Promise<unknown> => pool.query("VACUUM ANALYZE eventbus_outbox")
  /** Rows as one append has made it, with keys of their own. */
  const add = (count: number, from = 0): Promise<unknown> =>
    pool.query(
      "INSERT INTO eventbus_outbox (partition, event_id, event, event_key, body, meta) SELECT n % 4, 'e-' || n, $1, 'o-' || n % 1000, $2, $3 FROM generate_series($4::integer + 1, $5::integer) n",
      [event, body, meta, from, from + count]
    )
  const waiting = (): Promise<number> =>
    numberOf("SELECT count(*) FROM (SELECT 1 FROM eventbus_outbox WHERE state = 0 LIMIT 1) first")
  const relaying = () => createOutbox({ source: "bench", dialect: "postgres", execute, relayTo: bus })
  const drained = async (): Promise<void> => {
    while ((await waiting()) > 0) await delay(10)
  }
  const relayed = async (): Promise<number> => {
    await add(events)
    await settle()
    await using _ = await relaying()
    return events / (await seconds(drained))
  }
  const items = Array.from({ length: events }, (_, n) => dataOf(n))
  const published = async (): Promise<number> => events / (await seconds(() => bus.publishAll(Placed, items)))
  /** The relay and `publishAll` by turns. */
  const compare = async (where: string): Promise<void> => {
    const [direct, relays]: [Array<number>, Array<number>] = [[], []]
    for (let round = 0; round < rounds; round++) {
      direct.push(await published())
      relays.push(await relayed())
    }
    const ratio = median(relays.map((rate, n) => rate / (direct[n] ?? 0)))
    console.log(
      `${where}: publishAll ${median(direct).toFixed(0)}/s, relay ${median(relays).toFixed(0)}/s, ratio ${ratio.toFixed(2)} (at least 0.5)`
    )
  }
  /** Three seconds at half the rate of `publishAll`: from the append to the mark, by the clock of the database. */
  const lagAt = async (rate: number): Promise<{ readonly half: number; readonly most: number }> => {
    const after = await numberOf("SELECT max(position) FROM eventbus_outbox")
    await using _ = await relaying()
    const began = performance.now()
    for (let added = 0; performance.now() - began < 3_000; await delay(20)) {
      const due = Math.floor(((performance.now() - began) / 1000) * rate) - added
      await add(due, added)
      added += due
    }
    await drained()
    const of = (share: number): Promise<number> =>
      numberOf(
        "SELECT percentile_cont($1::float8) WITHIN GROUP (ORDER BY extract(epoch FROM settled_at - appended_at)) FROM eventbus_outbox WHERE position > $2",
        [share, after]
      )
    return { half: await of(0.5), most: await of(0.99) }
  }
  /** Behind `publishAll` each time: on a busy machine its rate of a minute ago says nothing. */
  const lag = async (where: string): Promise<void> => {
    const all: Array<{ readonly rate: number; readonly half: number; readonly most: number }> = []
    for (let round = 0; round < rounds; round++) {
      const rate = (await published()) / 2
      all.push({ rate, ...(await lagAt(rate)) })
    }
    const of = (what: "rate" | "half" | "most", unit = 1): string =>
      (median(all.map((one) => one[what])) * unit).toFixed(0)
    console.log(
      `${where}: at half the rate of publishAll, ${of("rate")}/s, the lag is ${of("half", 1000)} ms at the median, p99 ${of("most", 1000)} ms (under 1000)`
    )
  }
  const idle = async (where: string): Promise<void> => {
    await using _ = await relaying()
    await delay(3_000)
    const began = process.cpuUsage()
    await delay(idleSeconds * 1000)
    const { system, user } = process.cpuUsage(began)
    const millis = (((user + system) / 1000) * 60) / idleSeconds
    console.log(`${where}: an idle relay takes ${millis.toFixed(0)} ms of CPU a minute, with its bus`)
  }

  await drainedBy(relaying, drained)
  await compare("empty table")
  await lag("empty table")
  await idle("empty table")
  const took = await seconds(() =>
    pool.query(
      "INSERT INTO eventbus_outbox (partition, state, event_id, event, event_key, body, meta, settled_at) SELECT n % 4, 1, 'e-' || n, $1, 'o-' || n % 1000, 'sent', '{}', clock_timestamp() FROM generate_series(1, $2::integer) n",
      [event, sentRows]
    )
  )
  await settle()
  console.log(`${sentRows} rows that were sent were inserted in ${took.toFixed(0)} s`)
  const beside = `beside ${sentRows} sent rows`
  await compare(beside)
  await lag(beside)
  await idle(beside)
} finally {
  await client.end()
  await pool.end()
  await Promise.all([postgres.stop(), rabbit.stop()])
}

/** The rows of the appends leave first. */
async function drainedBy(relaying: () => Promise<AsyncDisposable>, drained: () => Promise<void>): Promise<void> {
  await using _ = await relaying()
  await drained()
}
