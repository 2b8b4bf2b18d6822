import type { Execute } from "@eduflow/events/outbox"
import { sql } from "drizzle-orm"
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres"
import { boolean, pgTable, text } from "drizzle-orm/pg-core"
import { AccountClosed } from "../../events.ts"
import { refunds, report } from "./refunds.ts"

const Account = pgTable("accounts", { userId: text("user_id").primaryKey(), closed: boolean().notNull() })
const Refund = pgTable("refunds", { userId: text("user_id").notNull() })

const on =
  (db: Pick<NodePgDatabase, "execute">): Execute =>
  async (statement, parameters) => {
    // Drizzle numbers the parameters itself.
    const parts = statement.split(/\$\d+/).map((part) => sql.raw(part))
    const query = parts.flatMap((part, n) => (n < parameters.length ? [part, sql`${parameters[n]}`] : [part]))
    return (await db.execute(sql.join(query))).rows
  }

export const main = async (url: string) => {
  const db = drizzle(url)
  try {
    return await refunds({
      dialect: "postgres",
      execute: on(db),
      closeAccount: (outbox, userId) =>
        db.transaction(async (tx) => {
          await tx.insert(Account).values({ userId, closed: true })
          await outbox.append(on(tx), AccountClosed, { userId })
        }),
      refund: (outbox, event) =>
        db.transaction(async (tx) => {
          if (!(await outbox.isFirst(on(tx), "billing.refunds", event))) return
          await tx.insert(Refund).values({ userId: event.data.userId })
        })
    })
  } finally {
    await db.$client.end()
  }
}

if (import.meta.main) await report(main)
