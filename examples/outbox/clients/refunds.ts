/** What the examples of the clients share: a bus, an outbox with its relay, and a subscriber that writes a refund once. */
import { createEventBus, type Envelope } from "@eduflow/events"
import { createOutbox, type DialectName, type Execute, type PromiseOutbox } from "@eduflow/events/outbox"
import { AccountClosed } from "../../events.ts"

export type Outbox = Pick<PromiseOutbox, "append" | "isFirst">
export type Closed = Envelope.Envelope<"user.account.closed", { readonly userId: string }>

export interface Client {
  readonly dialect: DialectName
  /** Runs a statement by itself. */
  readonly execute: Execute
  /** The transaction of the service that publishes. */
  readonly closeAccount: (outbox: Outbox, userId: string) => Promise<void>
  /** The transaction of the subscriber. */
  readonly refund: (outbox: Outbox, event: Closed) => Promise<void>
}

/** Closes an account and waits for its refund; returns all refunds. */
export const refunds = async ({ closeAccount, dialect, execute, refund }: Client): Promise<ReadonlyArray<string>> => {
  await execute("CREATE TABLE IF NOT EXISTS accounts (user_id varchar(50) PRIMARY KEY, closed boolean NOT NULL)", [])
  await execute("CREATE TABLE IF NOT EXISTS refunds (user_id varchar(50) NOT NULL)", [])
  const written = Promise.withResolvers<void>()
  const bus = await createEventBus({ url: "memory://", source: "accounts" })
  const outbox = await createOutbox({ source: "accounts", dialect, execute, relayTo: bus })
  try {
    await outbox.migrate()
    await bus.subscribe("billing.refunds", {
      events: [AccountClosed],
      handler: async (event) => {
        // Twice, as if the event had come again.
        await refund(outbox, event)
        await refund(outbox, event)
        written.resolve()
      }
    })
    await closeAccount(outbox, "u-1")
    await written.promise
  } finally {
    await outbox.close()
    await bus.close()
  }
  const rows = await execute("SELECT user_id FROM refunds", [])
  return rows.map((row) => String(row["user_id"]))
}

/** Runs an example by itself. */
export const report = async (main: (url: string) => Promise<ReadonlyArray<string>>): Promise<void> => {
  const url = process.env["DATABASE_URL"]
  if (url === undefined) throw new Error("DATABASE_URL is not set: give the url of a database")
  console.log(`refund for ${(await main(url)).join()}`)
}
