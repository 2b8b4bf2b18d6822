/** The outbox and the inbox on the embedded bus: on SQLite in a file, and on PostgreSQL. */
import { EventBus } from "@eduflow/events"
import { Layer } from "effect"
import { main } from "../../examples/outbox/pg.ts"
import { afterAll, assert, describe, it } from "vitest"
import { conforms } from "../support/conformance.ts"
import { missing, startPostgres } from "../support/PostgresNode.ts"
import { inboxCases } from "./InboxCases.ts"
import { orderCases } from "./OrderCases.ts"
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
      ...orderCases
    ])
    it("the example of the guide runs", async () => {
      assert.strictEqual(await main(await server.addDatabase("example")), "u-1")
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
