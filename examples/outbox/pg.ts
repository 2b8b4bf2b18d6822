import { createEventBus } from "@eduflow/events"
import { createOutbox } from "@eduflow/events/outbox"
import { Pool, type PoolClient } from "pg"
import { AccountClosed } from "../events.ts"

const on = (client: Pool | PoolClient) => async (sql: string, parameters: ReadonlyArray<unknown>) =>
  (await client.query(sql, [...parameters])).rows

const inTransaction = async <A>(pool: Pool, use: (client: PoolClient) => Promise<A>): Promise<A> => {
  const client = await pool.connect()
  try {
    await client.query("BEGIN")
    const result = await use(client)
    await client.query("COMMIT")
    return result
  } catch (error) {
    await client.query("ROLLBACK")
    throw error
  } finally {
    client.release()
  }
}

export const main = async (url: string) => {
  const pool = new Pool({ connectionString: url })
  await pool.query(
    "CREATE TABLE IF NOT EXISTS accounts (user_id text PRIMARY KEY, closed boolean NOT NULL DEFAULT false)"
  )
  await pool.query("CREATE TABLE IF NOT EXISTS refunds (user_id text NOT NULL)")
  const refunded = Promise.withResolvers<string>()
  const bus = await createEventBus({ url: "memory://", source: "accounts" })
  const outbox = await createOutbox({ source: "accounts", dialect: "postgres", execute: on(pool), relayTo: bus })
  try {
    await outbox.migrate()

    await bus.subscribe("billing.refunds", {
      events: [AccountClosed],
      handler: async (event) => {
        await inTransaction(pool, async (client) => {
          if (!(await outbox.isFirst(on(client), "billing.refunds", event))) return
          await client.query("INSERT INTO refunds (user_id) VALUES ($1)", [event.data.userId])
        })
        refunded.resolve(event.data.userId)
      }
    })

    await inTransaction(pool, async (client) => {
      await client.query("INSERT INTO accounts (user_id, closed) VALUES ($1, true)", ["u-1"])
      await outbox.append(on(client), AccountClosed, { userId: "u-1" })
    })
    return await refunded.promise
  } finally {
    await outbox.close()
    await bus.close()
    await pool.end()
  }
}

if (import.meta.main) console.log(`refund for ${await main(process.env["DATABASE_URL"] ?? "")}`)
