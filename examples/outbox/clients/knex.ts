import type { Execute } from "@eduflow/events/outbox"
import makeKnex, { type Knex } from "knex"
import { AccountClosed } from "../../events.ts"
import { refunds, report } from "./refunds.ts"

const on =
  (knex: Knex): Execute =>
  async (text, parameters) =>
    (await knex.raw(text.replaceAll(/\$\d+/g, "?"), [...parameters])).rows

export const main = async (url: string) => {
  const knex = makeKnex({ client: "pg", connection: url })
  try {
    return await refunds({
      dialect: "postgres",
      execute: on(knex),
      closeAccount: (outbox, userId) =>
        knex.transaction(async (trx) => {
          await trx("accounts").insert({ user_id: userId, closed: true })
          await outbox.append(on(trx), AccountClosed, { userId })
        }),
      refund: (outbox, event) =>
        knex.transaction(async (trx) => {
          if (!(await outbox.isFirst(on(trx), "billing.refunds", event))) return
          await trx("refunds").insert({ user_id: event.data.userId })
        })
    })
  } finally {
    await knex.destroy()
  }
}

if (import.meta.main) await report(main)
