/**
 * Writers and relays that are killed at each of their statements, and a database and a broker that are killed: what was
 * committed is published, what was not never is, each key keeps the order of its commits, and repetitions have their ids.
 */
import { createEventBus } from "@eduflow/events"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { Pool } from "pg"
import { afterAll, assert, beforeAll, it } from "vitest"
import { createOutbox } from "../../../src/outbox/index.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { missing, type PostgresNode, startPostgres } from "../../support/PostgresNode.ts"
import { programOf } from "../../support/Program.ts"
import { type RabbitNode, startRabbit } from "../../support/RabbitNode.ts"
import { freshDatabase } from "../Setup.ts"
import { type Arrival, judge, type Move, type Verdict } from "./Judge.ts"
import { Counted, type Death, keys, moments, reader, statements, type WorkOptions } from "./Work.ts"

const reason = await missing()
const program = await programOf("test/outbox/kills/worker.ts")

/** How often each of the deaths is died. */
const rounds = Number(process.env["EVENTBUS_TEST_OUTBOX_ROUNDS"] ?? "1")

/** Before, at and behind each statement of a life, the first, second and fourth of its kind. */
const deaths = (role: WorkOptions["role"]): ReadonlyArray<Death> =>
  [1, 2, 4].flatMap((count) =>
    moments.flatMap((when) =>
      Object.values<string>(statements[role]).map((statement) => ({
        statement,
        when,
        // Transactions are quick: otherwise nearly none would commit.
        count: role === "writer" ? count * 8 : role === "reader" ? count * 2 : count
      }))
    )
  )

interface World {
  readonly database: string
  readonly namespace: string
}

/** Runs a process to its end; returns how it ended. */
const live = async (options: WorkOptions, running: Set<() => void>): Promise<NodeJS.Signals | null> => {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: "ignore",
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "eventbus-compile-cache") }
  })
  const stop = (): void => void child.kill("SIGKILL")
  running.add(stop)
  const [, signal] = await once(child, "exit")
  running.delete(stop)
  return signal
}

describeLive(
  "an outbox whose processes are killed",
  () => {
    let postgres: PostgresNode
    let rabbit: RabbitNode
    beforeAll(async () => {
      if (reason !== undefined) throw new Error(reason)
      ;[postgres, rabbit] = await Promise.all([startPostgres(), startRabbit()])
    })
    afterAll(async () => void (await Promise.all([postgres.stop(), rabbit.stop()])))

    /** Runs `work` over a database and a subscriber of its own, then a relay until nothing waits, and judges. */
    const judged = async (work: (world: World, running: Set<() => void>) => Promise<void>): Promise<Verdict> => {
      const world = { database: await postgres.addDatabase(freshDatabase()), namespace: freshNamespace() }
      const pool = new Pool({ connectionString: world.database, max: 4 })
      pool.on("error", () => {})
      const execute = async (text: string, parameters: ReadonlyArray<unknown>) =>
        (await pool.query(text, [...parameters])).rows
      await using outbox = await createOutbox({ source: "counter", dialect: "postgres", execute })
      await outbox.migrate()
      await pool.query("CREATE TABLE counters (k text PRIMARY KEY, n integer NOT NULL DEFAULT 0)")
      await pool.query("INSERT INTO counters (k) SELECT unnest($1::text[])", [keys])
      await pool.query("CREATE TABLE moves (k text, n integer, id text PRIMARY KEY)")
      const arrivals: Array<Arrival> = []
      await using bus = await createEventBus({ url: rabbit.url, namespace: world.namespace, source: "judge" })
      await bus.subscribe("outbox.judge", {
        events: [Counted],
        ordering: "key",
        handler: ({ data, id }) => {
          arrivals.push({ k: data.k, id })
        }
      })
      const running = new Set<() => void>()
      await work(world, running)
      for (const stop of running) stop()

      const done = new Set<() => void>()
      const last = live({ role: "relay", broker: rabbit.url, ...world }, done)
      const waiting = async (): Promise<number> => {
        const { rows } = await pool.query("SELECT count(*) AS n FROM eventbus_outbox WHERE state = 0")
        return Number(rows[0]?.n)
      }
      while ((await waiting()) > 0) await delay(50)
      const { rows: moves } = await pool.query<Move>("SELECT k, n, id FROM moves")
      // The last ones are on their way to the subscriber.
      const arrived = (): number => new Set(arrivals.map(({ id }) => id)).size
      for (let n = 0; n < 100 && arrived() < moves.length; n++) await delay(50)
      for (const stop of done) stop()
      await last
      const verdict = judge(moves, arrivals)
      await pool.end()
      return verdict
    }

    it("killed at each statement: orphans 0, order by key, repetitions with their ids", async () => {
      const killed = { writer: 0, relay: 0 }
      const verdict = await judged(async (world, running) => {
        const all = (["writer", "relay"] as const).flatMap((role) => {
          const each = deaths(role)
          // Two lanes, each with half of them.
          return [0, 1].map((lane) => ({ role, deaths: each.filter((_, n) => n % 2 === lane) }))
        })
        const progress = { lives: 0, of: all.reduce((sum, lane) => sum + rounds * lane.deaths.length, 0) }
        // It has no death: relays die at what they do with its events.
        void live({ role: "writer", broker: rabbit.url, ...world }, running)
        const lanes = all.map(async ({ deaths, role }) => {
          for (let n = 0; n < rounds * deaths.length; n++) {
            const death = deaths[n % deaths.length]
            const options = { role, broker: rabbit.url, ...world, ...(death !== undefined && { death }) }
            // One that started while the broker was away has ended by itself.
            while ((await live(options, running)) !== "SIGKILL");
            killed[role]++
            progress.lives++
          }
        })
        const reached = async (share: number): Promise<void> => {
          while (progress.lives < share * progress.of) await delay(50)
        }
        await reached(0.3)
        await postgres.restart()
        await reached(0.6)
        await rabbit.restart()
        await Promise.all(lanes)
      })
      console.log(JSON.stringify({ ...verdict, killed }))
      const { committed, disordered, foreign, missing } = verdict
      assert.deepStrictEqual({ disordered, foreign, missing }, { disordered: 0, foreign: 0, missing: 0 })
      assert.isAbove(committed, 100)
      assert.deepStrictEqual(killed, {
        writer: rounds * deaths("writer").length,
        relay: rounds * deaths("relay").length
      })
    })

    it("an inbox whose processes are killed at each statement: no effect twice, none missing", async () => {
      const namespace = freshNamespace()
      const pool = new Pool({ connectionString: await postgres.addDatabase(freshDatabase()), max: 2 })
      const database = pool.options.connectionString ?? ""
      const execute = async (text: string, parameters: ReadonlyArray<unknown>) =>
        (await pool.query(text, [...parameters])).rows
      await using outbox = await createOutbox({ source: "counter", dialect: "postgres", execute })
      await outbox.migrate()
      await pool.query("CREATE TABLE applied (id text NOT NULL)")
      await using bus = await createEventBus({ url: rabbit.url, namespace, source: "counter" })
      const options: WorkOptions = { role: "reader", broker: rabbit.url, namespace, database }
      // Its queue is there from now on.
      const [starts, ends] = [new Set<() => void>(), new Set<() => void>()]
      const first = live(options, starts)
      while (!(await bus.publish(Counted, { k: "a" }, { id: "e-0" })).routed) await delay(100)
      for (const stop of starts) stop()
      await first
      const all = deaths("reader")
      const count = 20 * rounds * all.length
      await bus.publishAll(
        Counted,
        Array.from({ length: count }, (_, n) => ({ k: keys[n % keys.length] ?? "a" }))
      )
      for (const death of Array.from({ length: rounds }, () => all).flat())
        while ((await live({ ...options, death }, ends)) !== "SIGKILL");
      const last = live(options, ends)
      const applied = async (): Promise<{ readonly all: number; readonly different: number }> => {
        const { rows } = await pool.query("SELECT count(*) AS n, count(DISTINCT id) AS d FROM applied")
        return { all: Number(rows[0]?.n), different: Number(rows[0]?.d) }
      }
      // A process that is killed returns what it holds: what came back too often is a dead letter.
      while ((await applied()).different + (await bus.deadLetters.count(reader)) < count + 1) await delay(100)
      for (const stop of ends) stop()
      await last
      const found = await applied()
      console.log(JSON.stringify({ ...found, killed: rounds * all.length, count }))
      assert.strictEqual(found.all, found.different)
      await pool.end()
    })

    /** Writers and one relay with a bug, until they have published enough. */
    const withBug = (bug: NonNullable<WorkOptions["bug"]>) =>
      judged(async (world, running) => {
        const lives = (["writer", "writer", "relay"] as const).map((role) =>
          live({ role, broker: rabbit.url, ...world, bug }, running)
        )
        const pool = new Pool({ connectionString: world.database, max: 1 })
        const published = async (): Promise<number> => {
          const { rows } = await pool.query("SELECT count(*) AS n FROM eventbus_outbox WHERE state = 1")
          return Number(rows[0]?.n)
        }
        while ((await published()) < 1_000) await delay(50)
        await pool.end()
        for (const stop of running) stop()
        await Promise.all(lives)
      })

    it("a planted bug is found: without the lock of a key the events of a key change their order", async () => {
      assert.isAbove((await withBug("no lock")).disordered, 0)
    })

    it("a planted bug is found: a relay that reads beyond its last position leaves events behind", async () => {
      // The relay that follows has no bug, and publishes what was left behind: out of order, and long after.
      assert.isAbove((await withBug("cursor")).disordered, 0)
    })
  },
  ["rabbitNode"]
)
