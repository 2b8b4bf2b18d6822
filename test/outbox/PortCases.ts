/** The port of statements, with `pg`: appends in a transaction of its client, a relay over its pool. */
import { assert } from "@effect/vitest"
import { createEventBus } from "@eduflow/events"
import {
  createOutbox,
  Inbox,
  Migrations,
  Outbox,
  OutboxRelay,
  type Port,
  type Transaction
} from "@eduflow/events/outbox"
import { Effect, Layer } from "effect"
import { type ClientBase, Pool } from "pg"
import * as ConformanceCase from "../../src/ports/conformance/ConformanceCase.ts"
import { keyed } from "../../src/ports/conformance/setup/TestEvents.ts"
import { collect, until } from "./Setup.ts"

const transactionOf = (client: ClientBase): Transaction => ({
  dialect: "postgres",
  execute: async (sql, parameters) => (await client.query(sql, [...parameters])).rows
})

const portOf = (pool: Pool): Port => ({
  dialect: "postgres",
  execute: async (sql, parameters) => (await pool.query(sql, [...parameters])).rows,
  listen: async (channel, onEvent) => {
    const client = await pool.connect()
    client.on("notification", onEvent)
    await client.query(`LISTEN ${channel}`)
    return async () => client.release(true)
  }
})

const poolOf = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Pool({ connectionString: url, max: 10 })),
    (pool) => Effect.promise(async () => pool.end())
  )

export const portCases = (url: () => string) => [
  ConformanceCase.make(
    "with `pg`: what a transaction appends is published when it has committed, woken by a notification",
    () =>
      Effect.gen(function* () {
        const pool = yield* poolOf(url())
        const port = portOf(pool)
        yield* Migrations.migrateWith(port)
        const Thing = keyed()
        const got = yield* collect(Thing)
        // It asks so rarely that only a notification can wake it.
        yield* Layer.build(Layer.fresh(OutboxRelay.layerWith(port, { poll: "10 minutes", listen: true })))
        const outbox = yield* Outbox
        const transaction = async (n: number, end: "COMMIT" | "ROLLBACK") => {
          const client = await pool.connect()
          await client.query("BEGIN")
          const { id } = await Effect.runPromise(outbox.appendWith(transactionOf(client), Thing, { n, k: "a" }))
          await client.query(end)
          client.release()
          return id
        }
        yield* Effect.promise(() => transaction(0, "ROLLBACK"))
        const id = yield* Effect.promise(() => transaction(1, "COMMIT"))
        yield* until(() => got.length > 0)
        assert.deepStrictEqual(
          got.map((event) => [event.id, event.data.n]),
          [[id, 1]]
        )
      }).pipe(Effect.provide(Outbox.layer({ source: "shop", notify: true })), Effect.scoped)
  ),
  ConformanceCase.make("with `pg`: a mark of the inbox belongs to the transaction", () =>
    Effect.gen(function* () {
      const pool = yield* poolOf(url())
      const event = { id: "1", source: "a", type: "port.case" }
      const first = (end: "COMMIT" | "ROLLBACK") =>
        Effect.promise(async () => {
          const client = await pool.connect()
          await client.query("BEGIN")
          const is = await Effect.runPromise(Inbox.isFirstWith(transactionOf(client), "s", event))
          await client.query(end)
          client.release()
          return is
        })
      assert.deepStrictEqual(yield* Effect.all([first("ROLLBACK"), first("COMMIT"), first("COMMIT")]), [
        true,
        true,
        false
      ])
    }).pipe(Effect.scoped)
  ),
  ConformanceCase.make("an error of the database is an OutboxError with its message", () =>
    Effect.gen(function* () {
      const pool = yield* poolOf(url())
      const port = portOf(pool)
      const error = yield* Effect.flip(
        (yield* Outbox).appendWith(
          { dialect: "postgres", execute: (_, parameters) => port.execute("SELECT nowhere", parameters) },
          keyed(),
          { n: 1, k: "a" }
        )
      )
      assert.strictEqual(error._tag, "OutboxError")
      assert.include(error.message, "the outbox could not append")
    }).pipe(Effect.provide(Outbox.layer({ source: "shop" })), Effect.scoped)
  ),
  ConformanceCase.make("without Effect: an event is appended, published, and handled once in a transaction", () =>
    Effect.promise(async () => {
      const pool = new Pool({ connectionString: url() })
      const on = (client: Pool | ClientBase) => async (sql: string, parameters: ReadonlyArray<unknown>) =>
        (await client.query(sql, [...parameters])).rows
      const inTransaction = async <A>(use: (client: ClientBase) => Promise<A>): Promise<A> => {
        const client = await pool.connect()
        try {
          await client.query("BEGIN")
          const result = await use(client)
          await client.query("COMMIT")
          return result
        } finally {
          client.release()
        }
      }
      const Thing = keyed()
      {
        await using bus = await createEventBus({ url: "memory://", source: "shop" })
        await using outbox = await createOutbox({
          source: "shop",
          dialect: "postgres",
          execute: on(pool),
          relayTo: bus,
          relay: { poll: 20 }
        })
        await outbox.migrate()
        const got: Array<unknown> = []
        await using _ = await bus.subscribe("port.reader", {
          events: [Thing],
          handler: (event) =>
            inTransaction(async (client) => {
              if (await outbox.isFirst(on(client), "port.reader", event))
                got.push([event.id, event.actor?.id, event.tenant, event.data, event.causationId])
              // The cause of this one is the event that is handled.
              if (event.data.n === 1) await outbox.append(on(client), Thing, { n: 2, k: "a" }, { id: "second" })
            })
        })
        const flow = { actor: { id: "u-1", role: "teacher" }, tenant: "school-7" }
        const { id } = await inTransaction((client) => outbox.append(on(client), Thing, { n: 1, k: "a" }, flow))
        while (got.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
        await bus.publish(Thing, { n: 2, k: "a" }, { id: "second" })
        while ((await _.stats()).handled < 3) await new Promise((resolve) => setTimeout(resolve, 5))
        assert.deepStrictEqual(got, [
          [id, "u-1", "school-7", { n: 1, k: "a" }, undefined],
          // On behalf of the same.
          ["second", "u-1", "school-7", { n: 2, k: "a" }, id]
        ])
        assert.strictEqual((await outbox.status())?.databaseFault, undefined)
        await assertRejects(createOutbox({ source: "shop", dialect: "postgres", execute: on(pool), relayTo: {} }))
      }
      await pool.end()
    })
  )
]

const assertRejects = async (promise: Promise<unknown>): Promise<void> => {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error
  )
  assert.match(String(error), /relayTo/)
}
