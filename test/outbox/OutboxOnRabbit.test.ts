/** The outbox on RabbitMQ, over SQLite in a file and over PostgreSQL. */
import { EventBus } from "@eduflow/events"
import { Effect, Layer } from "effect"
import { afterAll } from "vitest"
import { conforms } from "../support/conformance.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { missing, startPostgres } from "../support/PostgresNode.ts"
import { inboxCases } from "./InboxCases.ts"
import { onPostgres, orderCases } from "./OrderCases.ts"
import { outboxCases } from "./OutboxCases.ts"
import { postgres, sqliteFile, withOutbox } from "./Setup.ts"

const reason = await missing()

describeLive(
  "outbox and inbox on RabbitMQ",
  () => {
    const bus = Layer.suspend(() =>
      EventBus.layerAmqp({ url: rabbitUrl(), namespace: freshNamespace(), source: "shop" }).pipe(Layer.orDie)
    )
    conforms("over SQLite", Layer.merge(withOutbox(sqliteFile), bus), [...outboxCases, ...inboxCases])
    if (reason !== undefined) return
    const server = startPostgres()
    afterAll(async () => (await server).stop())
    const database = Layer.unwrap(
      Effect.map(
        Effect.promise(() => server),
        ({ url }) => postgres(url)
      )
    )
    conforms("over PostgreSQL", Layer.merge(withOutbox(database), bus), [
      ...outboxCases,
      ...inboxCases,
      ...orderCases(onPostgres)
    ])
  },
  ["rabbit"]
)
