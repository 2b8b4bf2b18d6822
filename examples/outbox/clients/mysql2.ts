import type { Execute } from "@eduflow/events/outbox"
import { createPool, type Connection, type Pool } from "mysql2/promise"
import { AccountClosed } from "../../events.ts"
import { refunds, report } from "./refunds.ts"

const on =
  (connection: Pick<Connection, "query">): Execute =>
  async (text, parameters) => {
    const [rows] = await connection.query(text, [...parameters])
    // A statement that changes rows returns none.
    return Array.isArray(rows) ? (rows as ReadonlyArray<Record<string, unknown>>) : []
  }

const inTransaction = async (pool: Pool, use: (connection: Connection) => Promise<void>): Promise<void> => {
  const connection = await pool.getConnection()
  try {
    await connection.beginTransaction()
    await use(connection)
    await connection.commit()
  } catch (error) {
    await connection.rollback()
    throw error
  } finally {
    connection.release()
  }
}

export const main = async (url: string) => {
  const pool = createPool(url)
  try {
    return await refunds({
      dialect: "mysql",
      execute: on(pool),
      closeAccount: (outbox, userId) =>
        inTransaction(pool, async (connection) => {
          await connection.query("INSERT INTO accounts (user_id, closed) VALUES (?, true)", [userId])
          await outbox.append(on(connection), AccountClosed, { userId })
        }),
      refund: (outbox, event) =>
        inTransaction(pool, async (connection) => {
          if (!(await outbox.isFirst(on(connection), "billing.refunds", event))) return
          await connection.query("INSERT INTO refunds (user_id) VALUES (?)", [event.data.userId])
        })
    })
  } finally {
    await pool.end()
  }
}

if (import.meta.main) await report(main)
