import type { Execute } from "@eduflow/events/outbox"
import { DataSource, type EntityManager, EntitySchema } from "typeorm"
import { AccountClosed } from "../../events.ts"
import { refunds, report } from "./refunds.ts"

const Account = new EntitySchema<{ userId: string; closed: boolean }>({
  name: "accounts",
  columns: { userId: { type: String, primary: true, name: "user_id" }, closed: { type: Boolean } }
})

const on =
  ({ queryRunner }: Pick<EntityManager, "queryRunner">): Execute =>
  async (text, parameters) => {
    if (queryRunner === undefined) throw new Error("this is no manager of a transaction")
    // `manager.query` returns something else for an UPDATE than for a SELECT.
    return (await queryRunner.query(text, [...parameters], true)).records
  }

export const main = async (url: string) => {
  const source = new DataSource({ type: "postgres", url, entities: [Account] })
  await source.initialize()
  const execute: Execute = async (text, parameters) => {
    const queryRunner = source.createQueryRunner()
    try {
      return await on({ queryRunner })(text, parameters)
    } finally {
      await queryRunner.release()
    }
  }
  try {
    return await refunds({
      dialect: "postgres",
      execute,
      closeAccount: (outbox, userId) =>
        source.transaction(async (manager) => {
          await manager.insert(Account, { userId, closed: true })
          await outbox.append(on(manager), AccountClosed, { userId })
        }),
      refund: (outbox, event) =>
        source.transaction(async (manager) => {
          if (!(await outbox.isFirst(on(manager), "billing.refunds", event))) return
          await manager.query("INSERT INTO refunds (user_id) VALUES ($1)", [event.data.userId])
        })
    })
  } finally {
    await source.destroy()
  }
}

if (import.meta.main) await report(main)
