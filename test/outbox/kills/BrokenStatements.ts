/** Statements as a writer, a relay or a reader with a bug would run them. */
import type { Execute } from "@eduflow/events/outbox"
import { randomUUID } from "node:crypto"
import { partitions } from "../../../src/outbox/dialects/Dialect.ts"
import type { Rows } from "./Client.ts"
import type { Bug } from "./Work.ts"

type Wrap = (execute: Execute) => Execute

const isRead = (text: string): boolean => text.includes("AND EXISTS (SELECT 1 FROM eventbus_outbox_lease")
const isLease = (text: string): boolean => text.includes("eventbus_outbox_lease") && !isRead(text)

/** It reads what comes after the last position that it has read. */
const withCursor: Wrap = (execute) => {
  const cursors = new Map<unknown, number>()
  return async (text, parameters) => {
    if (!isRead(text)) return execute(text, parameters)
    const [partition] = parameters
    const cursor = cursors.get(partition) ?? 0
    const rows = await execute(text.replace("WHERE state = 0", `WHERE state = 0 AND position > ${cursor}`), parameters)
    for (const row of rows) cursors.set(partition, Math.max(cursors.get(partition) ?? 0, Number(row["position"])))
    return rows
  }
}

const markedBefore: Wrap = (execute) => async (text, parameters) => {
  const rows = await execute(text, parameters)
  const positions = rows.map((row) => row["position"]).join()
  if (isRead(text) && rows.length > 0)
    await execute(`UPDATE eventbus_outbox SET state = 1 WHERE position IN (${positions})`, [])
  return rows
}

const withNewIds: Wrap = (execute) => async (text, parameters) => {
  const rows = await execute(text, parameters)
  if (!isRead(text)) return rows
  return rows.map((row) => {
    const id = randomUUID()
    return { ...row, event_id: id, body: String(row["body"]).replace(String(row["event_id"]), id) }
  })
}

/** It publishes all partitions, whoever holds them. */
const withoutLease: Wrap = (execute) => {
  let claimed = 0
  const free = (): Rows => (claimed < partitions ? [{ partition: claimed, fence: 0 }] : [])
  const claim = (): Rows => {
    const rows = free()
    claimed += rows.length
    return rows
  }
  const all = (): Rows => Array.from({ length: claimed }, (_, partition) => ({ partition, fence: 0 }))
  return async (text, parameters) => {
    // MySQL looks, takes, and reads what it has taken.
    if (text.includes("ORDER BY RAND()")) return free()
    if (text.includes("AND fence = ? AND owner = ?")) return claim()
    if (text.includes("fence = fence + 1")) return text.includes("RETURNING") ? claim() : []
    if (text.includes("SET expires_at") || text.startsWith("SELECT `partition`, fence")) return all()
    return execute(
      text.replace(/AND EXISTS \(.*\n/, (line) =>
        line.includes("?")
          ? "AND ? IS NOT NULL AND ? IS NOT NULL\n"
          : "AND $2::smallint IS NOT NULL AND $3::bigint IS NOT NULL\n"
      ),
      parameters
    )
  }
}

/** As the statements of leases have it. */
const mysqlNow = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000"

const byOwnClock: Wrap = (execute) => (text, parameters) =>
  execute(
    isLease(text)
      ? text.replaceAll("clock_timestamp()", `to_timestamp(${Date.now() / 1000})`).replaceAll(mysqlNow, `${Date.now()}`)
      : text,
    parameters
  )

const trustingTheClock: Wrap = (execute) => (text, parameters) =>
  execute(text.replace(/ OR expires_at > .*? 2 \* term( \* interval '1 millisecond')?/, ""), parameters)

/** The bugs of a relay. */
const broken: Partial<Record<Bug, Wrap>> = {
  cursor: withCursor,
  "mark-before-publish": markedBefore,
  "new-ids": withNewIds,
  "no-lease": withoutLease,
  "lease-by-own-clock": byOwnClock,
  "lease-trusts-clock": trustingTheClock
}

export const brokenBy = (bug: Bug | undefined, execute: Execute): Execute =>
  (bug === undefined ? undefined : broken[bug])?.(execute) ?? execute
