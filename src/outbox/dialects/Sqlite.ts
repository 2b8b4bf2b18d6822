/**
 * The statements for SQLite 3.35 and later. It has one writer at a time (https://www.sqlite.org/lang_transaction.html), and
 * `AUTOINCREMENT` never gives a number twice, so positions have the order of commits by themselves: no key needs a lock.
 */
import { type Dialect, partitions, pending, refused, sent } from "./Dialect.ts"
import { statement } from "./Statement.ts"

/** Milliseconds since the epoch, of the database. */
const now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
const listed = "(SELECT value FROM json_each(?))"

export const sqlite: Dialect = {
  name: "sqlite",

  append: ({ body, event, id, key, meta, partition }) =>
    statement(
      `INSERT INTO eventbus_outbox (partition, event_id, event, event_key, body, meta, appended_at)
VALUES (?, ?, ?, ?, ?, ?, ${now}) RETURNING position`,
      partition,
      id,
      event,
      key,
      body,
      meta
    ),

  claim: ({ millis, owner }) =>
    statement(
      `UPDATE eventbus_outbox_lease SET owner = ?, fence = fence + 1, expires_at = ${now} + ?, term = ?
WHERE partition = (
  SELECT partition FROM eventbus_outbox_lease
  WHERE expires_at < ${now} OR expires_at > ${now} + 2 * term ORDER BY random() LIMIT 1
) RETURNING partition, fence`,
      owner,
      millis,
      millis
    ),
  renew: ({ millis, owner }) =>
    statement(
      `UPDATE eventbus_outbox_lease SET expires_at = ${now} + ? WHERE owner = ? RETURNING partition, fence`,
      millis,
      owner
    ),
  release: (owner) =>
    statement(
      `UPDATE eventbus_outbox_lease SET owner = NULL, expires_at = 0 WHERE owner = ? RETURNING partition`,
      owner
    ),

  read: ({ fence, heldKeys, heldPositions, limit, maxBytes, partition }) =>
    statement(
      `SELECT position, event_id, event, event_key, body, meta FROM (
SELECT *, sum(length(body)) OVER (ORDER BY position) - length(body) AS before FROM (
SELECT position, event_id, event, event_key, body, meta FROM eventbus_outbox
WHERE state = ${pending} AND partition = ?
AND EXISTS (SELECT 1 FROM eventbus_outbox_lease l WHERE l.partition = ? AND l.fence = ? AND l.owner IS NOT NULL)
AND (event_key IS NULL OR event_key NOT IN ${listed}) AND position NOT IN ${listed}
ORDER BY position LIMIT ?)) WHERE before < ? ORDER BY position`,
      partition,
      partition,
      fence,
      JSON.stringify(heldKeys),
      JSON.stringify(heldPositions),
      limit,
      maxBytes
    ),

  markSent: (positions) =>
    statement(
      `UPDATE eventbus_outbox SET state = ${sent}, settled_at = ${now}, reason = NULL
WHERE position IN ${listed} RETURNING position`,
      JSON.stringify(positions)
    ),
  removeSent: (positions) =>
    statement(`DELETE FROM eventbus_outbox WHERE position IN ${listed} RETURNING position`, JSON.stringify(positions)),
  setAside: (position, reason) =>
    statement(
      `UPDATE eventbus_outbox SET state = ${refused}, settled_at = ${now}, reason = ?
WHERE position = ? AND state = ${pending} RETURNING position`,
      reason,
      position
    ),

  status: (most) =>
    statement(
      `SELECT
(SELECT count(*) FROM (SELECT 1 FROM eventbus_outbox WHERE state = ${pending} LIMIT ?)) AS pending,
(SELECT count(*) FROM (SELECT 1 FROM eventbus_outbox WHERE state = ${refused} LIMIT ?)) AS refused,
max(0, coalesce((SELECT max(${now} - appended_at) FROM (
  ${Array.from({ length: partitions }, (_, n) => `SELECT * FROM (SELECT appended_at FROM eventbus_outbox WHERE state = ${pending} AND partition = ${n} ORDER BY position LIMIT 1)`).join("\n  UNION ALL ")}
)), 0)) / 1000.0 AS oldest`,
      most,
      most
    ),
  refused: (limit) =>
    statement(
      `SELECT position, event_id, event, event_key, reason, appended_at AS appended, settled_at AS settled
FROM eventbus_outbox WHERE state = ${refused} ORDER BY position LIMIT ?`,
      limit
    ),
  retry: (id, limit) =>
    statement(
      `UPDATE eventbus_outbox SET state = ${pending}, settled_at = NULL, reason = NULL WHERE position IN (
  SELECT position FROM eventbus_outbox WHERE state = ${refused} AND event_id = coalesce(?, event_id)
  ORDER BY position LIMIT ?
) RETURNING position`,
      id,
      limit
    ),
  purge: (state, olderThanMillis, limit) =>
    statement(
      `DELETE FROM eventbus_outbox WHERE position IN (
  SELECT position FROM eventbus_outbox WHERE state = ${state} AND settled_at < ${now} - ? ORDER BY settled_at LIMIT ?
) RETURNING position`,
      olderThanMillis,
      limit
    ),

  older: (state, olderThanMillis) =>
    statement(
      `SELECT count(*) AS events FROM eventbus_outbox WHERE state = ${state} AND settled_at < ${now} - ?`,
      olderThanMillis
    ),

  mark: (subscriber, event) =>
    statement(
      `INSERT INTO eventbus_inbox (subscriber, event, handled_at) VALUES (?, ?, ${now}) ON CONFLICT DO NOTHING RETURNING event`,
      subscriber,
      event
    ),
  purgeMarks: (olderThanMillis, limit) =>
    statement(
      `DELETE FROM eventbus_inbox WHERE rowid IN (
  SELECT rowid FROM eventbus_inbox WHERE handled_at < ${now} - ? ORDER BY handled_at LIMIT ?
) RETURNING event`,
      olderThanMillis,
      limit
    ),

  migrations: [
    {
      id: 1,
      name: "outbox_and_inbox",
      statements: [
        `CREATE TABLE IF NOT EXISTS eventbus_outbox (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  partition INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT ${pending},
  event_id TEXT NOT NULL,
  event TEXT NOT NULL,
  event_key TEXT,
  body TEXT NOT NULL,
  meta TEXT NOT NULL,
  appended_at INTEGER NOT NULL,
  settled_at INTEGER,
  reason TEXT
)`,
        `CREATE INDEX IF NOT EXISTS eventbus_outbox_pending ON eventbus_outbox (partition, position) WHERE state = ${pending}`,
        `CREATE INDEX IF NOT EXISTS eventbus_outbox_sent ON eventbus_outbox (settled_at) WHERE state = ${sent}`,
        `CREATE INDEX IF NOT EXISTS eventbus_outbox_refused ON eventbus_outbox (position) WHERE state = ${refused}`,
        `CREATE TABLE IF NOT EXISTS eventbus_outbox_lease (
  partition INTEGER PRIMARY KEY,
  owner TEXT,
  fence INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER NOT NULL DEFAULT 0,
  term INTEGER NOT NULL DEFAULT 0
)`,
        `INSERT OR IGNORE INTO eventbus_outbox_lease (partition) VALUES ${Array.from({ length: partitions }, (_, n) => `(${n})`).join(", ")}`,
        `CREATE TABLE IF NOT EXISTS eventbus_inbox (
  subscriber TEXT NOT NULL,
  event TEXT NOT NULL,
  handled_at INTEGER NOT NULL,
  PRIMARY KEY (subscriber, event)
)`,
        `CREATE INDEX IF NOT EXISTS eventbus_inbox_handled ON eventbus_inbox (handled_at)`
      ]
    }
  ]
}
