/** The outbox and the inbox on the embedded bus: on SQLite in a file, on PostgreSQL, on MariaDB, and on a MySQL that is named. */
import { EventBus } from "@eduflow/events"
import { ConfigProvider, Effect, Layer } from "effect"
import { main as withEffect } from "../../examples/outbox/effect.ts"
import { main } from "../../examples/outbox/pg.ts"
import { afterAll, assert, describe, it } from "vitest"
import { conforms } from "../support/conformance.ts"
import { type MariaNode, missingMaria, mysqld, startMaria, startMysql } from "../support/MariaNode.ts"
import { layer as mysql } from "../support/MysqlClient.ts"
import { missing, startPostgres } from "../support/PostgresNode.ts"
import { inboxCases } from "./InboxCases.ts"
import { onMaria, onPostgres, orderCases } from "./OrderCases.ts"
import { outboxCases } from "./OutboxCases.ts"
import { portCases } from "./PortCases.ts"
import { postgres, sqliteFile, withOutbox } from "./Setup.ts"

const bus = EventBus.layerMemory({ source: "shop" })

describe("outbox and inbox on SQLite", () => {
  conforms("on the embedded bus", Layer.merge(withOutbox(sqliteFile), bus), [...outboxCases, ...inboxCases])
})

const reason = await missing()
if (reason === undefined) {
  const server = await startPostgres()
  afterAll(server.stop)
  describe("outbox and inbox on PostgreSQL", () => {
    conforms("on the embedded bus", Layer.merge(withOutbox(postgres(server.url)), bus), [
      ...outboxCases,
      ...inboxCases,
      ...orderCases(onPostgres)
    ])
    it("the example of the guide runs", async () => {
      assert.strictEqual(await main(await server.addDatabase("example")), "u-1")
    })
    it("so does the one with Effect", async () => {
      const settings = ConfigProvider.fromEnvRecord({ DATABASE_URL: await server.addDatabase("with_effect") })
      const refunds = await Effect.runPromise(withEffect.pipe(Effect.provide(ConfigProvider.layer(settings))))
      assert.deepStrictEqual(refunds, ["u-1"])
    })
    conforms(
      "over a port of statements",
      bus,
      portCases(() => server.url)
    )
  })
} else {
  it.skipIf(process.env["CI"] !== "true")(`has PostgreSQL: ${reason}`, () => {
    throw new Error(reason)
  })
}

const withoutMaria = await missingMaria()
const onMysql = async (name: string, server: MariaNode): Promise<void> => {
  afterAll(server.stop)
  const url = await server.addDatabase("outbox")
  describe(`outbox and inbox on ${name}`, () => {
    conforms("on the embedded bus", Layer.merge(withOutbox(mysql(url)), bus), [
      ...outboxCases,
      ...inboxCases,
      ...orderCases(onMaria)
    ])
  })
}
if (withoutMaria === undefined) {
  await onMysql("MariaDB", await startMaria())
} else {
  it.skipIf(process.env["CI"] !== "true")(`has MariaDB: ${withoutMaria}`, () => {
    throw new Error(withoutMaria)
  })
}

if (mysqld() !== undefined) await onMysql("MySQL", await startMysql())
