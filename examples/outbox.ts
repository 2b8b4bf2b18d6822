import { EventBus, runMain, Subscriber } from "@eduflow/events"
import { Inbox, Migrations, Outbox, OutboxRelay, SqliteFile } from "@eduflow/events/outbox"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { AccountClosed } from "./events.ts"

export const closeAccount = (userId: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const outbox = yield* Outbox
    yield* sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`UPDATE accounts SET closed = 1 WHERE user_id = ${userId}`
        yield* outbox.append(AccountClosed, { userId })
      })
    )
  })

export const Refunds = Subscriber.layer("billing.refunds", {
  events: [AccountClosed],
  inbox: true,
  handler: (event) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql`INSERT INTO refunds (user_id) VALUES (${event.data.userId})`)
})

const Tables = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* Migrations.migrate
    yield* sql`CREATE TABLE IF NOT EXISTS accounts (user_id TEXT PRIMARY KEY, closed INTEGER NOT NULL DEFAULT 0)`
    yield* sql`CREATE TABLE IF NOT EXISTS refunds (user_id TEXT NOT NULL)`
  })
)

export const serviceOn = <E>(database: Layer.Layer<SqlClient.SqlClient, E>) =>
  Layer.mergeAll(Refunds, OutboxRelay.layer(), Inbox.purging()).pipe(
    Layer.provideMerge(
      Layer.mergeAll(EventBus.layerMemory({ source: "accounts" }), Outbox.layer({ source: "accounts" }))
    ),
    Layer.provideMerge(Tables.pipe(Layer.provideMerge(database)))
  )

export const service = (filename: string) => serviceOn(SqliteFile.layer({ filename }))

export const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`INSERT INTO accounts (user_id) VALUES ('u-1')`
  yield* closeAccount("u-1")
  for (;;) {
    const refunds = yield* sql<{ readonly user_id: string }>`SELECT user_id FROM refunds`
    if (refunds.length > 0) return refunds.map((refund) => refund.user_id)
    yield* Effect.sleep("20 millis")
  }
})

if (import.meta.main) {
  runMain(
    Effect.flatMap(program, (refunds) => Effect.log(`refund for ${refunds.join()}`)).pipe(
      Effect.provide(service(":memory:"))
    )
  )
}
