/**
 * A short `npm run chaos -- --outbox`: writers, relays, readers, database and broker that are killed at their statements.
 * What was committed is published, what was not never is, each key keeps the order of its commits, repetitions have their
 * ids, and no effect happens twice. The planted bugs of an order that is lost, of a race and of an inbox are found.
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive } from "../../support/live.ts"
import { missing } from "../../support/PostgresNode.ts"
import { openServers } from "./Chaos.ts"
import { controls } from "./Controls.ts"
import { deathsUpTo } from "./Deaths.ts"
import { inboxKills } from "./InboxKills.ts"
import { killRun } from "./KillRun.ts"
import { clockRun, race } from "./Races.ts"
import { type Bug, deathsOf } from "./Work.ts"

const reason = await missing()

/** How often each of the deaths is died. */
const rounds = Number(process.env["EVENTBUS_TEST_OUTBOX_ROUNDS"] ?? "1")

describeLive(
  "an outbox whose processes are killed",
  () => {
    let servers: Awaited<ReturnType<typeof openServers>>
    beforeAll(async () => {
      if (reason !== undefined) throw new Error(reason)
      servers = await openServers()
    })
    afterAll(() => servers[Symbol.asyncDispose]())

    it("killed at each statement: orphans 0, order by key, repetitions with their ids", async () => {
      const [writer, relay] = (["writer", "relay"] as const).map((role) => deathsOf(role, "process").length * rounds)
      const { long, toll, verdict, violations } = await killRun(servers, 2, {
        writer: writer ?? 0,
        relay: relay ?? 0,
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

    it.each([false, true])(
      "an inbox whose processes are killed at each statement, inbox: %s: no effect twice, none missing",
      async (option) => {
        const deaths = deathsUpTo("reader", "process", deathsOf("reader", "process").length * rounds)
        const { effects, events, toll, violations } = await inboxKills(servers, { deaths, lanes: 2, option })
        console.log(JSON.stringify({ option, events, effects, killed: toll.total, places: toll.byPlace.size }))
        assert.deepStrictEqual(violations, [])
        assert.strictEqual(effects, events + 1)
      }
    )

    it.each<Bug>(["no-lock", "cursor", "no-lease", "no-mark"])("a planted bug is found: %s", async (bug) => {
      const { play, rule } = controls[bug]
      // Two processes have to meet, which they do in most plays.
      const seen: Array<string> = []
      for (let times = 0; times < 8 && !seen.includes(rule); times++)
        seen.push(...(await play(servers, bug)).map((violation) => violation.rule))
      assert.include(seen, rule)
    })
  },
  ["rabbitNode"]
)
