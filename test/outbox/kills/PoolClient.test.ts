/** The client of the readers: a statement that is held back while its transaction is cut off stays in that transaction. */
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { afterAll, assert, describe, it } from "vitest"
import type { ClientPool } from "./Client.ts"
import * as PoolClient from "./PoolClient.ts"

describe("the client of the kill runs", () => {
  const sent: Array<string> = []
  afterAll(() => void (sent.length = 0))
  /** One connection, which records what it is sent. */
  const query = async (text: string) => {
    sent.push(text)
    return []
  }
  const pool: ClientPool = {
    dialect: "postgres",
    query,
    acquire: async () => ({ query, release: () => void sent.push("released") }),
    end: async () => {}
  }

  it("sends a statement that was held back before the rollback of its transaction", async () => {
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
    const effect = Effect.gen(function* () {
      const isHeld = yield* Deferred.make<void>()
      const services = yield* Effect.context<never>()
      const client = PoolClient.layer(pool, async (connection, text) => {
        if (text === "HELD") {
          Effect.runSyncWith(services)(Deferred.succeed(isHeld, undefined))
          await mayGoOn
        }
        return connection.query(text)
      })
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const fiber = yield* Effect.forkChild(sql.withTransaction(sql.unsafe("HELD")))
        yield* Deferred.await(isHeld)
        const ended = yield* Effect.forkChild(Fiber.interrupt(fiber))
        yield* Effect.yieldNow
        goOn()
        yield* Fiber.join(ended)
      }).pipe(Effect.provide(client))
    })
    await Effect.runPromise(effect)
    assert.deepStrictEqual(sent, ["BEGIN", "HELD", "ROLLBACK", "released"])
  })
})
