import type { Execute } from "@eduflow/events/outbox"
import postgres from "postgres"
import { AccountClosed } from "../../events.ts"
import { refunds, report } from "./refunds.ts"

const on =
  (sql: Pick<postgres.Sql, "unsafe">): Execute =>
  async (text, parameters) =>
    sql.unsafe(text, [...parameters])

export const main = async (url: string) => {
  const sql = postgres(url, { onnotice: () => {} })
  try {
    return await refunds({
      dialect: "postgres",
      execute: on(sql),
      closeAccount: async (outbox, userId) => {
        await sql.begin(async (tx) => {
          await tx`INSERT INTO accounts (user_id, closed) VALUES (${userId}, true)`
          await outbox.append(on(tx), AccountClosed, { userId })
        })
      },
      refund: async (outbox, event) => {
        await sql.begin(async (tx) => {
          if (!(await outbox.isFirst(on(tx), "billing.refunds", event))) return
          await tx`INSERT INTO refunds (user_id) VALUES (${event.data.userId})`
        })
      }
    })
  } finally {
    await sql.end()
  }
}

if (import.meta.main) await report(main)
