/**
 * The statements of the outbox and the inbox, as each database writes them. Every parameter is used once and in order, so
 * that clients whose placeholders have no number can run them.
 *
 * Why no event is left behind: the relay reads what is marked as pending, never what comes after a position. A number
 * that was drawn early and committed late is still pending, so nothing slips past.
 *
 * Why the events of a key keep the order of their commits: an append waits until the transaction that appended an event of
 * its key before has ended. So within a key, a larger position was committed later.
 */
import type { Statement } from "./Statement.ts"

/** `state` of a row. */
export const pending = 0 as const
export const sent = 1 as const
/** Set aside: the broker or the bus refused it for good. */
export const refused = 2 as const

export interface NewRow {
  readonly partition: number
  readonly id: string
  readonly event: string
  readonly key: string | null
  /** Of the key, for its lock. A signed integer of 32 bits. */
  readonly keyHash: number
  readonly body: string
  readonly meta: string
}

export interface AppendSettings {
  /** Whether an append waits for the transaction that appended an event of its key before. */
  readonly locksKey: boolean
  /** Whether the commit wakes relays in other processes. */
  readonly notifies: boolean
}

export interface ReadBatch {
  readonly partition: number
  readonly fence: number
  /** Keys that wait for an event that is not sent yet. */
  readonly heldKeys: ReadonlyArray<string>
  /** Events without a key that are not sent yet. */
  readonly heldPositions: ReadonlyArray<number>
  readonly limit: number
  /** Bytes of bodies; the first row comes whatever its size. */
  readonly maxBytes: number
}

export interface Lease {
  readonly owner: string
  readonly millis: number
}

export interface Dialect {
  readonly name: "postgres" | "sqlite" | "mysql"
  /** `position` */
  readonly append: (row: NewRow, options: AppendSettings) => Statement
  /** Takes one partition whose lease has expired: `partition`, `fence`. */
  readonly claim: (lease: Lease) => Statement
  /** Renews all that are held: `partition`, `fence`. */
  readonly renew: (lease: Lease) => Statement
  readonly release: (owner: string) => Statement
  /** Reads nothing without the lease: `position`, `event_id`, `event`, `event_key`, `body`, `meta`. */
  readonly read: (batch: ReadBatch) => Statement
  readonly markSent: (positions: ReadonlyArray<number>) => Statement
  readonly removeSent: (positions: ReadonlyArray<number>) => Statement
  readonly setAside: (position: number, reason: string) => Statement
  /** `pending` and `refused`, counted up to `most` each, and `oldest`: the age of the first pending one in seconds. */
  readonly status: (most: number) => Statement
  /** Those that were set aside, oldest first. */
  readonly refused: (limit: number) => Statement
  /** Makes one that was set aside pending again, or all: `position`. */
  readonly retry: (id: string | null, limit: number) => Statement
  /** Deletes some events that were sent, or set aside, this long ago: `position`. */
  readonly purge: (state: typeof sent | typeof refused, olderThanMillis: number, limit: number) => Statement
  /** `events`: how many those are. */
  readonly older: (state: typeof sent | typeof refused, olderThanMillis: number) => Statement
  /** A row when this is the first time. */
  readonly mark: (subscriber: string, event: string) => Statement
  readonly purgeMarks: (olderThanMillis: number, limit: number) => Statement
  readonly migrations: ReadonlyArray<Migration>
}

export interface Migration {
  readonly id: number
  readonly name: string
  /** Each can be run again. */
  readonly statements: ReadonlyArray<string>
}

/** How many parts the events are divided into by their keys. It is part of the data: it never changes. */
export const partitions = 4

export const channel = "eventbus_outbox"
