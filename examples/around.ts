import { Around, EventBus, type PromiseAround, runMain, Subscriber } from "@eduflow/events"
import { SqliteFile } from "@eduflow/events/outbox"
import { Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { AccountClosed } from "./events.ts"

export const Transaction = Effect.map(SqlClient.SqlClient, (sql) =>
  Around.make({ name: "transaction", handling: (handle) => sql.withTransaction(handle) })
)

export const Timing = Around.make({
  name: "timing",
  handling: (handle, { events, subscriber }) =>
    Effect.flatMap(Effect.timed(handle), ([elapsed]) => Effect.logDebug(subscriber, events.length, elapsed))
})

export const timing: PromiseAround = {
  name: "timing",
  handling: async (handle, { subscriber }) => {
    const began = performance.now()
    await handle()
    console.log(`${subscriber} took ${Math.round(performance.now() - began)} ms`)
  }
}

export const Bus = EventBus.layerMemory({ source: "accounts" }).pipe(
  Around.provide(Transaction),
  Around.provide(Timing)
)

export const Ledger = Subscriber.layer("billing.ledger", {
  events: [AccountClosed],
  handler: (event, { attempt }) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`INSERT INTO ledger (user_id, attempt) VALUES (${event.data.userId}, ${attempt})`
      // What the first attempt wrote is rolled back.
      if (attempt === 1) return yield* Effect.fail("the mail server is away")
    }),
  retry: (error) => (Around.errorOf(Timing, error) === undefined ? Schedule.spaced("10 millis") : Schedule.recurs(1))
})

const Table = Layer.effectDiscard(
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE ledger (user_id TEXT, attempt INTEGER)`)
)

export const service = Ledger.pipe(
  Layer.provideMerge(Bus),
  Layer.provideMerge(Table),
  Layer.provideMerge(SqliteFile.layer({ filename: ":memory:" }))
)

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  const sql = yield* SqlClient.SqlClient
  yield* bus.publish(AccountClosed, { userId: "u-1" })
  for (;;) {
    const rows = yield* sql<{ readonly user_id: string; readonly attempt: number }>`SELECT user_id, attempt FROM ledger`
    if (rows.length > 0) return rows.map(({ attempt, user_id }) => `${user_id}, attempt ${attempt}`)
    yield* Effect.sleep("20 millis")
  }
})

if (import.meta.main) {
  runMain(Effect.flatMap(program, (rows) => Effect.log(rows.join())).pipe(Effect.provide(service)))
}
