/** An event as a row of the outbox: what the insert gets, and what the relay makes of it. */
import type { EncodedEvent } from "../bus/publish/EncodedPublisher.ts"
import * as TextHash from "../bus/support/TextHash.ts"
import type { Headers } from "../bus/port/Broker.ts"
import type * as Event from "../event/Event.ts"
import { type NewRow, partitions } from "./dialects/Dialect.ts"
import type { Row } from "./dialects/Statement.ts"

/** An event that was checked and encoded. */
export interface AppendedEvent extends Omit<EncodedEvent, "delaySeconds" | "body"> {
  readonly body: string
  /** When it is to be delivered, in milliseconds since the epoch, if it is delayed. */
  readonly dueAt: number | undefined
}

/** What has no column of its own, as JSON. Absent fields have their defaults. */
interface Meta {
  readonly time: number
  readonly source: string
  readonly correlationId?: string
  readonly headers?: Headers
  readonly mandatory?: true
  readonly dueAt?: number
  readonly cache?: Event.CachePolicy
  /** Where the column cannot hold it as it is. */
  readonly id?: string
  readonly key?: string
}

/** Databases refuse a NUL and halves of characters in a text. */
const stored = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD")

export const rowOf = (event: AppendedEvent): NewRow => {
  const { body, cache, correlationId, dueAt, headers, id, key, mandatory, name, source, time } = event
  const storedId = stored(id)
  const storedKey = key === undefined ? null : stored(key)
  const meta: Meta = {
    time,
    source,
    ...(correlationId !== undefined && { correlationId }),
    ...(hasAny(headers) && { headers }),
    ...(mandatory && { mandatory }),
    ...(dueAt !== undefined && { dueAt }),
    ...(cache !== false && { cache }),
    ...(storedId !== id && { id }),
    ...(key !== undefined && storedKey !== key && { key })
  }
  const keyHash = hashOf(storedKey ?? storedId)
  return {
    partition: (keyHash >>> 0) % partitions,
    id: storedId,
    event: name,
    key: storedKey,
    keyHash,
    body,
    meta: JSON.stringify(meta)
  }
}

const hasAny = (headers: Headers): boolean => {
  for (const _ in headers) return true
  return false
}

/** A signed integer of 32 bits. It is part of the data: the partition of a key never changes. */
const hashOf = (text: string): number => {
  const hash = TextHash.of(text)
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 0
}

/** A row that the relay has read. */
export interface PendingRow {
  readonly position: number
  /** As its column has it. */
  readonly key: string | null
  readonly event: EncodedEvent
}

/** `now` is in milliseconds since the epoch: the rest of a delay. Throws for a row that another program wrote. */
export const pendingOf = (row: Row, now: number): PendingRow => {
  const key = row["event_key"] === null ? null : String(row["event_key"])
  // Written by `rowOf`; of another writer's row a missing field is found by the broker's client.
  const meta = JSON.parse(String(row["meta"])) as Meta
  const { cache = false, correlationId, dueAt, headers = {}, mandatory = false, source, time } = meta
  return {
    position: Number(row["position"]),
    key,
    event: {
      name: String(row["event"]),
      id: meta.id ?? String(row["event_id"]),
      key: meta.key ?? key ?? undefined,
      time,
      source,
      correlationId,
      body: String(row["body"]),
      headers,
      mandatory,
      delaySeconds: dueAt === undefined ? 0 : Math.max(0, Math.ceil((dueAt - now) / 1000)),
      cache
    }
  }
}
