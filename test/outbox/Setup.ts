/** What the tests of the outbox share: databases, a subscriber that keeps what it got, a relay that is quick. */
import { PgClient } from "@effect/sql-pg"
import { type Envelope, EventBus } from "@eduflow/events"
import { Migrations, Outbox, OutboxRelay, type RelayOptions, SqliteFile } from "@eduflow/events/outbox"
import { Context, Effect, Layer, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type * as Event from "../../src/event/Event.ts"
import { fresh } from "../../src/ports/conformance/setup/TestEvents.ts"

/** A file of its own, which is removed at the end. */
export const sqliteFile: Layer.Layer<SqlClient.SqlClient> = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "outbox-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ),
    (folder) => SqliteFile.layer({ filename: join(folder, "outbox.sqlite") })
  )
).pipe(Layer.orDie)

export const postgres = (url: string): Layer.Layer<SqlClient.SqlClient> =>
  PgClient.layer({ url: Redacted.make(url), maxConnections: 10 }).pipe(Layer.orDie)

/** With its tables, and an outbox over it. */
export const withOutbox = (database: Layer.Layer<SqlClient.SqlClient>) =>
  Layer.mergeAll(Outbox.layer({ source: "shop" }), Layer.effectDiscard(Migrations.migrate)).pipe(
    Layer.provideMerge(database),
    Layer.orDie
  )

/** A relay until the scope closes. */
export const relay = (options: RelayOptions = {}) =>
  Effect.map(
    Layer.build(Layer.fresh(OutboxRelay.layer({ poll: "20 millis", lease: "1 second", ...options }))),
    (context) => Context.get(context, OutboxRelay)
  )

/** A subscriber that keeps what it got, in order. */
export const collect = <Name extends string, A>(event: Event.Event<Name, A>) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const got: Array<Envelope.Envelope<Name, A>> = []
    yield* bus.subscribe(fresh("collector"), {
      events: [event],
      ordering: "key",
      handler: (one: Envelope.Envelope<Name, A>) => Effect.sync(() => void got.push(one))
    })
    return got
  })

export const until = <E = never, R = never>(
  condition: Effect.Effect<boolean, E, R> | (() => boolean),
  everyMillis = 10
): Effect.Effect<void, E, R> =>
  Effect.asVoid(
    Effect.repeat(
      Effect.suspend(() => (typeof condition === "function" ? Effect.sync(condition) : condition)),
      { until: (is: boolean) => is, schedule: Schedule.spaced(everyMillis) }
    )
  )

/** Rows by their state. */
export const rows = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(
    sql<{
      readonly state: number
      readonly n: number
    }>`SELECT state, count(*) AS n FROM eventbus_outbox GROUP BY state`,
    (counted) => {
      const of = (state: number): number => Number(counted.find((row) => Number(row.state) === state)?.n ?? 0)
      return { pending: of(0), sent: of(1), refused: of(2) }
    }
  )
)
