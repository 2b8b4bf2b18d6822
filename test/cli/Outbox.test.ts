/** `eventbus outbox` on SQLite in a file, on PostgreSQL and on MariaDB. */
import { assert, describe, it } from "@effect/vitest"
import { Outbox, SqliteFile } from "@eduflow/events/outbox"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Schema from "effect/Schema"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { byCommand } from "../../src/operations/Reports.ts"
import { keyed, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import { postgres } from "../outbox/Setup.ts"
import { missingMaria, startMaria } from "../support/MariaNode.ts"
import { layer as mysql } from "../support/MysqlClient.ts"
import { missing, startPostgres } from "../support/PostgresNode.ts"
import { eventbus, reported } from "./Eventbus.ts"

const folder = mkdtempSync(join(tmpdir(), "outbox-cli-"))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, "outbox.sqlite")
const reason = await missing()
const server = reason === undefined ? await startPostgres() : undefined
afterAll(async () => server?.stop())
const maria = (await missingMaria()) === undefined ? await startMaria() : undefined
afterAll(async () => maria?.stop())
const mariaUrl = (await maria?.addDatabase("outbox")) ?? ""

const databases = [
  { name: "SQLite", url: `sqlite:${file}`, layer: SqliteFile.layer({ filename: file }) },
  ...(server === undefined ? [] : [{ name: "PostgreSQL", url: server.url, layer: postgres(server.url) }]),
  ...(maria === undefined ? [] : [{ name: "MariaDB", url: mariaUrl, layer: mysql(mariaUrl) }])
]

const asReport = <A>(schema: Schema.Schema<A>) => Schema.is(schema)

describe("eventbus outbox", () => {
  for (const { layer, name, url } of databases) {
    it.live(`on ${name}: creates tables, says what waits, retries and purges, and changes nothing without --yes`, () =>
      Effect.gen(function* () {
        const settings = { EVENTBUS_OUTBOX_DATABASE: url }
        const run = (...args: ReadonlyArray<string>) => reported(settings, "outbox", ...args)
        const missing = yield* run("status")
        assert.strictEqual(missing.code, 1)
        const migrated = yield* run("migrate")
        assert.isTrue(asReport(byCommand["outbox migrate"])(migrated.report))
        assert.strictEqual((yield* run("migrate")).code, 0)

        const Thing = keyed()
        yield* Effect.gen(function* () {
          const outbox = yield* Outbox
          const sql = yield* SqlClient.SqlClient
          yield* Effect.forEach(upTo(4), (n) => outbox.append(Thing, { n, k: "a" }, { id: `e-${n}` }))
          yield* sql`UPDATE eventbus_outbox SET state = 2, reason = 'Invalid: no', settled_at = appended_at WHERE event_id IN ('e-0', 'e-1')`
          yield* sql`UPDATE eventbus_outbox SET state = 1, settled_at = appended_at WHERE event_id = 'e-2'`
        }).pipe(Effect.provide(Layer.merge(Outbox.layer({ source: "shop" }), layer)))

        const status = yield* run("status")
        assert.isTrue(asReport(byCommand["outbox status"])(status.report))
        assert.strictEqual(status.code, 4)
        const { pending, refusals, refused } = status.report as unknown as (typeof byCommand)["outbox status"]["Type"]
        assert.deepStrictEqual(
          [pending, refused, refusals.map(({ id, reason }) => [id, reason])],
          [
            1,
            2,
            [
              ["e-0", "Invalid: no"],
              ["e-1", "Invalid: no"]
            ]
          ]
        )
        const shown = yield* eventbus(settings, "outbox", "status")
        assert.include(shown.out, "2 were set aside")

        const counts = Effect.map(run("status"), ({ report }) => [report["pending"], report["refused"]])
        assert.strictEqual((yield* run("retry", "--id", "e-0")).report["events"], 1)
        assert.strictEqual((yield* run("retry")).report["events"], 2)
        assert.deepStrictEqual(yield* counts, [1, 2])
        const retried = yield* run("retry", "--id", "e-0", "--yes")
        assert.isTrue(asReport(byCommand["outbox retry"])(retried.report))
        assert.deepStrictEqual(yield* counts, [2, 1])
        assert.strictEqual((yield* run("purge", "--older-than", "1 hour", "--yes")).report["events"], 0)
        assert.strictEqual((yield* run("purge", "--older-than", "0 seconds")).report["events"], 1)
        const purged = yield* run("purge", "--older-than", "0 seconds", "--yes")
        assert.isTrue(asReport(byCommand["outbox purge"])(purged.report))
        assert.strictEqual(purged.report["events"], 1)
        assert.strictEqual((yield* run("purge", "--older-than", "0 seconds", "--refused", "--yes")).report["events"], 1)
        assert.deepStrictEqual(yield* counts, [2, 0])
      })
    )
  }

  it.live("prints the SQL of a migration, and says what is wrong with how it was called", () =>
    Effect.gen(function* () {
      const printed = yield* eventbus({}, "outbox", "migrate", "--print", "postgres")
      assert.match(printed.out, /^-- 1 outbox_and_inbox\nCREATE TABLE IF NOT EXISTS eventbus_outbox \(/)
      for (const [problem, args] of [
        ["no database is named", ["status"]],
        ["expected postgres://", ["status", "--database", "oracle://x"]],
        ['"soon" is no length of time', ["purge", "--older-than", "soon", "--database", `sqlite:${file}`]]
      ] as const) {
        const { code, err } = yield* eventbus({}, "outbox", ...args)
        assert.strictEqual(code, 2, err)
        assert.include(err, problem)
      }
    })
  )
})
