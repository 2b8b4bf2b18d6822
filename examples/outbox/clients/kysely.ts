import type { Execute } from "@eduflow/events/outbox"
import { CompiledQuery, Kysely, PostgresDialect } from "kysely"
import { Pool } from "pg"
import { AccountClosed } from "../../events.ts"
import { refunds, report } from "./refunds.ts"

interface Tables {
  readonly accounts: { readonly user_id: string; readonly closed: boolean }
  readonly refunds: { readonly user_id: string }
}

const on =
  (db: Kysely<Tables>): Execute =>
  async (text, parameters) =>
    (await db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...parameters]))).rows

export const main = async (url: string) => {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }) })
  try {
    return await refunds({
      dialect: "postgres",
      execute: on(db),
      closeAccount: (outbox, userId) =>
        db.transaction().execute(async (trx) => {
          await trx.insertInto("accounts").values({ user_id: userId, closed: true }).execute()
          await outbox.append(on(trx), AccountClosed, { userId })
        }),
      refund: (outbox, event) =>
        db.transaction().execute(async (trx) => {
          if (!(await outbox.isFirst(on(trx), "billing.refunds", event))) return
          await trx.insertInto("refunds").values({ user_id: event.data.userId }).execute()
        })
    })
  } finally {
    await db.destroy()
  }
}

if (import.meta.main) await report(main)
