/**
 * The statements for PostgreSQL 12 and later.
 *
 * The lock of a key is `pg_advisory_xact_lock`, which ends with the transaction
 * (https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS). It is taken before the position is drawn:
 * the row is made of what its function returns, and a volatile function in FROM is called first. PostgreSQL releases the locks of a transaction after others see
 * its commit.
 *
 * A bound by `pg_snapshot_xmin` would not give that order: transaction numbers are drawn by the first write of a
 * transaction, whatever it is, so one that appended later may have the smaller number. It would also hold back all events
 * while any transaction of the server that has written anything is open.
 */
import { channel, type Dialect, partitions, pending, refused, sent } from "./Dialect.ts"
import { statement } from "./Statement.ts"

/** Beside the locks of the application: it is the first number of two. */
const lockSpace = 0x6f_75_74_62

const columns = "(partition, event_id, event, event_key, body, meta)"
/** A number of milliseconds from now. */
const fromNow = (parameter: string): string => `clock_timestamp() + ${parameter}::float8 * interval '1 millisecond'`
const ago = (parameter: string): string => `clock_timestamp() - ${parameter}::float8 * interval '1 millisecond'`
/** A text first: a client that learns that a parameter is JSON encodes it once more. */
const jsonOf = (parameter: string): string => `${parameter}::text::jsonb`
const listed = (parameter: string): string =>
  `(SELECT value::bigint FROM jsonb_array_elements_text(${jsonOf(parameter)}))`

/** Made once: clients find a prepared statement by its text, and one that is the same string is found at once. */
const appending = (insert: string) => ({
  silent: `${insert}
RETURNING position`,
  notifying: `${insert}
RETURNING position, pg_notify('${channel}', '')::text`
})
const plain = appending(`INSERT INTO eventbus_outbox ${columns} VALUES ($1, $2, $3, $4, $5, $6)`)
const locking = appending(`INSERT INTO eventbus_outbox ${columns}
SELECT $1::smallint, $2::text, $3::text, $4::text, $5::text, $6::text FROM pg_advisory_xact_lock(${lockSpace}, $7::integer)`)

export const postgres: Dialect = {
  name: "postgres",

  append: ({ body, event, id, key, keyHash, meta, partition }, { locksKey, notifies }) =>
    locksKey && key !== null
      ? statement(notifies ? locking.notifying : locking.silent, partition, id, event, key, body, meta, keyHash)
      : statement(notifies ? plain.notifying : plain.silent, partition, id, event, key, body, meta),

  claim: ({ millis, owner }) =>
    statement(
      `UPDATE eventbus_outbox_lease
SET owner = $1::text, fence = fence + 1, expires_at = ${fromNow("$2")}, term = $3::float8
WHERE partition = (
  SELECT partition FROM eventbus_outbox_lease
  WHERE expires_at < clock_timestamp() OR expires_at > clock_timestamp() + 2 * term * interval '1 millisecond'
  ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING partition, fence`,
      owner,
      millis,
      millis
    ),
  renew: ({ millis, owner }) =>
    statement(
      `UPDATE eventbus_outbox_lease SET expires_at = ${fromNow("$1")} WHERE owner = $2::text RETURNING partition, fence`,
      millis,
      owner
    ),
  release: (owner) =>
    statement(
      `UPDATE eventbus_outbox_lease SET owner = NULL, expires_at = '-infinity' WHERE owner = $1::text RETURNING partition`,
      owner
    ),

  read: ({ fence, heldKeys, heldPositions, limit, maxBytes, partition }) =>
    statement(
      `SELECT position, event_id, event, event_key, body, meta FROM (
SELECT *, sum(octet_length(body)) OVER (ORDER BY position) - octet_length(body) AS before FROM (
SELECT position, event_id, event, event_key, body, meta FROM eventbus_outbox
WHERE state = ${pending} AND partition = $1::smallint
AND EXISTS (SELECT 1 FROM eventbus_outbox_lease l WHERE l.partition = $2::smallint AND l.fence = $3::bigint AND l.owner IS NOT NULL)
AND (event_key IS NULL OR event_key NOT IN (SELECT jsonb_array_elements_text(${jsonOf("$4")})))
AND position NOT IN ${listed("$5")}
ORDER BY position LIMIT $6::integer) first) summed WHERE before < $7::bigint ORDER BY position`,
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
      `UPDATE eventbus_outbox SET state = ${sent}, settled_at = clock_timestamp(), reason = NULL
WHERE position IN ${listed("$1")} RETURNING position`,
      JSON.stringify(positions)
    ),
  removeSent: (positions) =>
    statement(
      `DELETE FROM eventbus_outbox WHERE position IN ${listed("$1")} RETURNING position`,
      JSON.stringify(positions)
    ),
  setAside: (position, reason) =>
    statement(
      `UPDATE eventbus_outbox SET state = ${refused}, settled_at = clock_timestamp(), reason = $1::text
WHERE position = $2::bigint AND state = ${pending} RETURNING position`,
      reason,
      position
    ),

  status: (most) =>
    statement(
      `SELECT
(SELECT count(*) FROM (SELECT 1 FROM eventbus_outbox WHERE state = ${pending} LIMIT $1::integer) p) AS pending,
(SELECT count(*) FROM (SELECT 1 FROM eventbus_outbox WHERE state = ${refused} LIMIT $2::integer) r) AS refused,
coalesce((SELECT greatest(0, max(extract(epoch FROM clock_timestamp() - appended_at))) FROM (
  SELECT (SELECT appended_at FROM eventbus_outbox WHERE state = ${pending} AND partition = n ORDER BY position LIMIT 1)
  FROM generate_series(0, ${partitions - 1}) n
) o(appended_at)), 0)::float8 AS oldest`,
      most,
      most
    ),
  refused: (limit) =>
    statement(
      `SELECT position, event_id, event, event_key, reason,
(extract(epoch FROM appended_at) * 1000)::float8 AS appended, (extract(epoch FROM settled_at) * 1000)::float8 AS settled
FROM eventbus_outbox WHERE state = ${refused} ORDER BY position LIMIT $1::integer`,
      limit
    ),
  retry: (id, limit) =>
    statement(
      `UPDATE eventbus_outbox SET state = ${pending}, settled_at = NULL, reason = NULL WHERE position IN (
  SELECT position FROM eventbus_outbox WHERE state = ${refused} AND event_id = coalesce($1::text, event_id)
  ORDER BY position LIMIT $2::integer
) RETURNING position`,
      id,
      limit
    ),
  purge: (state, olderThanMillis, limit) =>
    statement(
      `DELETE FROM eventbus_outbox WHERE position IN (
  SELECT position FROM eventbus_outbox WHERE state = ${state} AND settled_at < ${ago("$1")}
  ORDER BY settled_at LIMIT $2::integer
) RETURNING position`,
      olderThanMillis,
      limit
    ),

  older: (state, olderThanMillis) =>
    statement(
      `SELECT count(*) AS events FROM eventbus_outbox WHERE state = ${state} AND settled_at < ${ago("$1")}`,
      olderThanMillis
    ),

  mark: (subscriber, event) =>
    statement(
      `INSERT INTO eventbus_inbox (subscriber, event) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING event`,
      subscriber,
      event
    ),
  purgeMarks: (olderThanMillis, limit) =>
    statement(
      `DELETE FROM eventbus_inbox WHERE (subscriber, event) IN (
  SELECT subscriber, event FROM eventbus_inbox WHERE handled_at < ${ago("$1")} ORDER BY handled_at LIMIT $2::integer
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
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  partition smallint NOT NULL,
  state smallint NOT NULL DEFAULT ${pending},
  event_id text NOT NULL,
  event text NOT NULL,
  event_key text,
  body text NOT NULL,
  meta text NOT NULL,
  appended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at timestamptz,
  reason text
)`,
        `CREATE INDEX IF NOT EXISTS eventbus_outbox_pending ON eventbus_outbox (partition, position) WHERE state = ${pending}`,
        `CREATE INDEX IF NOT EXISTS eventbus_outbox_sent ON eventbus_outbox (settled_at) WHERE state = ${sent}`,
        `CREATE INDEX IF NOT EXISTS eventbus_outbox_refused ON eventbus_outbox (position) WHERE state = ${refused}`,
        `CREATE TABLE IF NOT EXISTS eventbus_outbox_lease (
  partition smallint PRIMARY KEY,
  owner text,
  fence bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL DEFAULT '-infinity',
  term float8 NOT NULL DEFAULT 0
)`,
        `INSERT INTO eventbus_outbox_lease (partition) SELECT generate_series(0, ${partitions - 1}) ON CONFLICT DO NOTHING`,
        `CREATE TABLE IF NOT EXISTS eventbus_inbox (
  subscriber text NOT NULL,
  event text NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (subscriber, event)
)`,
        `CREATE INDEX IF NOT EXISTS eventbus_inbox_handled ON eventbus_inbox (handled_at)`
      ]
    }
  ]
}
