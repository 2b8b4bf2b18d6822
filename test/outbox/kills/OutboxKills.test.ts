/**
 * A short `npm run chaos -- --outbox` on PostgreSQL and on MariaDB: writers, relays, readers, database and broker that are
 * killed at their statements. What was committed is published, what was not never is, each key keeps the order of its
 * commits, repetitions have their ids, and no effect happens twice. The planted bugs of an order that is lost, of a race
 * and of an inbox are found.
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive } from "../../support/live.ts"
import { openServers } from "./Chaos.ts"
import { controls } from "./Controls.ts"
import type { DatabaseName } from "./DatabaseServer.ts"
import { deathsUpTo } from "./Deaths.ts"
import { inboxKills } from "./InboxKills.ts"
import { killRun } from "./KillRun.ts"
import { clockRun, race } from "./Races.ts"
import { type Bug, deathsOf } from "./Work.ts"

/** How often each of the deaths is died. */
const rounds = Number(process.env["EVENTBUS_TEST_OUTBOX_ROUNDS"] ?? "1")

interface Runs {
  readonly database: DatabaseName
  /** Of `inbox`: whether the readers have that option. */
  readonly inboxes: ReadonlyArray<boolean>
  readonly bugs: ReadonlyArray<Bug>
}

/** The dialects share relay and inbox, so what has been seen on one is not all seen again on the other. */
const runs: ReadonlyArray<Runs> = [
  { database: "postgres", inboxes: [false, true], bugs: ["no-lock", "cursor", "no-lease", "no-mark"] },
  { database: "mariadb", inboxes: [true], bugs: ["no-lock"] }
]

for (const { bugs, database, inboxes } of runs) {
  describeLive(
    `an outbox whose processes are killed, on ${database}`,
    () => {
      let servers: Awaited<ReturnType<typeof openServers>>
      beforeAll(async () => {
        servers = await openServers(database)
      })
      afterAll(() => servers[Symbol.asyncDispose]())

      it("killed at each statement: orphans 0, order by key, repetitions with their ids", async () => {
        const times = (role: "writer" | "relay"): number =>
          deathsOf(role, "process", servers.database.dialect).length * rounds
        const { long, toll, verdict, violations } = await killRun(servers, 2, {
          writer: times("writer"),
          relay: times("relay"),
          database: 4 * rounds,
          broker: rounds
        })
        console.log(JSON.stringify({ ...verdict, long, killed: Object.fromEntries(toll.byVictim), late: toll.late }))
        assert.deepStrictEqual(violations, [])
        assert.isAbove(verdict.committed, 100)
        assert.isAbove(long.committed, 0)
      })

      it("relays that race and change publish nothing twice", async () => {
        const { changes, violations } = await race(servers, { relays: 3, events: 1_000 })
        assert.deepStrictEqual(violations, [])
        assert.isAbove(changes, 0)
      })

      it("clocks that jump stop no partition and change no order", async () => {
        assert.deepStrictEqual((await clockRun(servers, 1)).violations, [])
      })

      it.each(inboxes)(
        "an inbox whose processes are killed at each statement, inbox: %s: no effect twice, none missing",
        async (option) => {
          const { dialect } = servers.database
          const count = deathsOf("reader", "process", dialect).length * rounds
          const deaths = deathsUpTo(dialect, "reader", "process", count)
          const { effects, events, toll, violations } = await inboxKills(servers, { deaths, lanes: 2, option })
          console.log(JSON.stringify({ option, events, effects, killed: toll.total, places: toll.byPlace.size }))
          assert.deepStrictEqual(violations, [])
          assert.strictEqual(effects, events + 1)
        }
      )

      it.each(bugs)("a planted bug is found: %s", async (bug) => {
        const { play, rule } = controls[bug]
        // Two processes have to meet, which they do in most plays of a quiet machine.
        const seen: Array<string> = []
        for (let times = 0; times < 30 && !seen.includes(rule); times++)
          seen.push(...(await play(servers, bug)).map((violation) => violation.rule))
        assert.include(seen, rule)
      })
    },
    ["rabbitNode"]
  )
}
