/**
 * @eduflow/events/outbox: commit and publish as one. Events are written to a table in the transaction that changes the
 * data, and a relay publishes what was committed. The inbox is the other side: a handler whose effects in a database
 * happen once.
 */
export type { AppendOptions } from "./EncodedEvent.ts"
export type { DialectName, Execute, Port } from "./Database.ts"
export * as Inbox from "./Inbox.ts"
export * as Migrations from "./Migrations.ts"
export { type Appended, Outbox, type Transaction } from "./Outbox.ts"
export {
  createOutbox,
  type CreateOutboxOptions,
  type PromiseAppendOptions,
  type PromiseOutbox
} from "./PromiseOutbox.ts"
export { OutboxError } from "./OutboxError.ts"
export { OutboxRelay, type RelayStatus } from "./relay/OutboxRelay.ts"
export type { RelayOptions } from "./relay/RelayOptions.ts"
export * as SqliteFile from "./SqliteFile.ts"
