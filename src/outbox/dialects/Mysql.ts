/**
 * The statements for MariaDB and MySQL, on InnoDB. Neither returns the rows of an UPDATE, so some operations are several
 * statements; each of them is right by itself, also on different connections of a pool.
 *
 * The lock of a key is a row of `eventbus_outbox_key`, which the insert selects `FOR UPDATE`: InnoDB holds it until the
 * transaction ends (https://dev.mysql.com/doc/refman/8.4/en/innodb-locking-reads.html). It is taken before the position is
 * drawn, since an `AUTO_INCREMENT` is drawn for a row that was selected. `GET_LOCK` would not do: it ends with its
 * session and not with the transaction. InnoDB lets others see a commit before it releases its locks.
 *
 * Other keys that share the row of a key wait for it too. Times are milliseconds since the epoch, in UTC.
 *
 * InnoDB locks each row that a change looks at, not only those that it changes. A small table is scanned from end to end
 * unless the index is forced, and then waits for the rows of every open transaction.
 */
import { randomUUID } from "node:crypto"
import { type Dialect, partitions, pending, refused, sent } from "./Dialect.ts"
import { migrations } from "./MysqlTables.ts"
import { type Row, type Statement, statement } from "./Statement.ts"

/** How many locks the keys share. It is part of the data: it never changes. */
export const keyLocks = 1000

/** Neither the time zone of a session nor the beginning of its transaction matters. */
const now = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"

const columns = "(`partition`, event_id, event, event_key, body, meta, appended_at)"
const isFree = `(expires_at < ${now} OR expires_at > ${now} + 2 * term)`

/** Numbers of the database itself. MySQL's prepared statements take no list, and no parameter in LIMIT. */
const whole = (value: number): number => Math.trunc(value)
const listed = (positions: ReadonlyArray<number>): string => positions.map(whole).join(", ") || "NULL"
const places = (values: ReadonlyArray<unknown>): string => values.map(() => "?").join(", ")

const then = (first: Statement, next: NonNullable<Statement["next"]>): Statement => ({ ...first, next })

/** Reads which rows are meant, changes these, and returns their positions. */
const selected = (select: Statement, change: (positions: ReadonlyArray<number>) => string): Statement =>
  then(select, (rows) =>
    rows.length === 0 ? rows : then(statement(change(rows.map((row) => Number(row["position"])))), () => rows)
  )

/** The rows of these positions, and no others, are looked at. */
const byPosition = "FORCE INDEX (PRIMARY)"

/** MariaDB forces no index where a deletion asks for nothing besides: `condition` always holds for these rows. */
const deletion = (table: string, condition: string, positions: ReadonlyArray<number>): string =>
  `DELETE ${table} FROM ${table} ${byPosition} WHERE ${condition} AND position IN (${listed(positions)})`

const positionsOf = (rows: ReadonlyArray<number>): ReadonlyArray<Row> => rows.map((position) => ({ position }))

/** A number that another connection of a pool has drawn names another row. */
const appended = (id: string): Statement =>
  statement(`SELECT position FROM eventbus_outbox WHERE position = LAST_INSERT_ID() AND event_id = ?`, id)

const leases: Pick<Dialect, "claim" | "renew" | "release"> = {
  claim: ({ millis, owner }) =>
    then(
      statement(`SELECT \`partition\`, fence FROM eventbus_outbox_lease WHERE ${isFree} ORDER BY RAND() LIMIT 1`),
      (free) => {
        const [row] = free
        if (row === undefined) return free
        const [partition, fence] = [Number(row["partition"]), Number(row["fence"])]
        // It may have been renewed, or taken, meanwhile.
        const take = statement(
          `UPDATE eventbus_outbox_lease SET owner = ?, fence = fence + 1, expires_at = ${now} + ?, term = ?
WHERE \`partition\` = ? AND fence = ? AND ${isFree}`,
          owner,
          millis,
          millis,
          partition,
          fence
        )
        return then(take, () =>
          statement(
            "SELECT `partition`, fence FROM eventbus_outbox_lease WHERE `partition` = ? AND fence = ? AND owner = ?",
            partition,
            fence + 1,
            owner
          )
        )
      }
    ),
  renew: ({ millis, owner }) =>
    then(statement(`UPDATE eventbus_outbox_lease SET expires_at = ${now} + ? WHERE owner = ?`, millis, owner), () =>
      statement("SELECT `partition`, fence FROM eventbus_outbox_lease WHERE owner = ?", owner)
    ),
  release: (owner) =>
    then(statement("UPDATE eventbus_outbox_lease SET owner = NULL, expires_at = 0 WHERE owner = ?", owner), () => [])
}

const settling: Pick<Dialect, "markSent" | "removeSent" | "setAside"> = {
  markSent: (positions) =>
    then(
      statement(
        `UPDATE eventbus_outbox ${byPosition} SET state = ${sent}, settled_at = ${now}, reason = NULL WHERE position IN (${listed(positions)})`
      ),
      () => positionsOf(positions)
    ),
  removeSent: (positions) =>
    then(statement(deletion("eventbus_outbox", "state >= 0", positions)), () => positionsOf(positions)),
  setAside: (position, reason) =>
    then(
      statement(
        `UPDATE eventbus_outbox SET state = ${refused}, settled_at = ${now}, reason = ? WHERE position = ? AND state = ${pending}`,
        reason,
        position
      ),
      () => positionsOf([position])
    )
}

const upkeep: Pick<Dialect, "status" | "refused" | "retry" | "purge" | "older"> = {
  status: (most) =>
    statement(
      `SELECT
(SELECT count(*) FROM (SELECT 1 FROM eventbus_outbox WHERE state = ${pending} LIMIT ${whole(most)}) p) AS pending,
(SELECT count(*) FROM (SELECT 1 FROM eventbus_outbox WHERE state = ${refused} LIMIT ${whole(most)}) r) AS refused,
greatest(0, coalesce((SELECT max(${now} - appended_at) FROM (
  ${Array.from({ length: partitions }, (_, n) => `(SELECT appended_at FROM eventbus_outbox WHERE state = ${pending} AND \`partition\` = ${n} ORDER BY position LIMIT 1)`).join("\n  UNION ALL ")}
) o), 0)) / 1000 AS oldest`
    ),
  refused: (limit) =>
    statement(
      `SELECT position, event_id, event, event_key, reason, appended_at AS appended, settled_at AS settled
FROM eventbus_outbox WHERE state = ${refused} ORDER BY position LIMIT ${whole(limit)}`
    ),
  retry: (id, limit) =>
    selected(
      statement(
        `SELECT position FROM eventbus_outbox WHERE state = ${refused} AND event_id = coalesce(?, event_id)
ORDER BY position LIMIT ${whole(limit)}`,
        id
      ),
      (positions) =>
        `UPDATE eventbus_outbox ${byPosition} SET state = ${pending}, settled_at = NULL, reason = NULL
WHERE state = ${refused} AND position IN (${listed(positions)})`
    ),
  purge: (state, olderThanMillis, limit) =>
    selected(
      statement(
        `SELECT position FROM eventbus_outbox WHERE state = ${state} AND settled_at < ${now} - ?
ORDER BY settled_at LIMIT ${whole(limit)}`,
        olderThanMillis
      ),
      (positions) => deletion("eventbus_outbox", `state = ${state}`, positions)
    ),
  older: (state, olderThanMillis) =>
    statement(
      `SELECT count(*) AS events FROM eventbus_outbox WHERE state = ${state} AND settled_at < ${now} - ?`,
      olderThanMillis
    )
}

export const mysql: Dialect = {
  name: "mysql",

  append: ({ body, event, id, key, keyHash, meta, partition }, { locksKey }) => {
    const values = [partition, id, event, key, body, meta]
    const insert =
      locksKey && key !== null
        ? statement(
            `INSERT INTO eventbus_outbox ${columns}
SELECT ?, ?, ?, ?, ?, ?, ${now} FROM eventbus_outbox_key WHERE slot = ? FOR UPDATE`,
            ...values,
            (keyHash >>> 0) % keyLocks
          )
        : statement(`INSERT INTO eventbus_outbox ${columns} VALUES (?, ?, ?, ?, ?, ?, ${now})`, ...values)
    return then(insert, () => appended(id))
  },

  ...leases,

  read: ({ fence, heldKeys, heldPositions, limit, maxBytes, partition }) =>
    statement(
      `SELECT position, event_id, event, event_key, body, meta FROM (
SELECT first.*, sum(octet_length(body)) OVER (ORDER BY position) - octet_length(body) AS bytes_before FROM (
SELECT position, event_id, event, event_key, body, meta FROM eventbus_outbox
WHERE state = ${pending} AND \`partition\` = ?
AND EXISTS (SELECT 1 FROM eventbus_outbox_lease l WHERE l.\`partition\` = ? AND l.fence = ? AND l.owner IS NOT NULL)
${heldKeys.length === 0 ? "" : `AND (event_key IS NULL OR event_key NOT IN (${places(heldKeys)}))\n`}${heldPositions.length === 0 ? "" : `AND position NOT IN (${listed(heldPositions)})\n`}ORDER BY position LIMIT ${whole(limit)}) first
) summed WHERE bytes_before < ? ORDER BY position`,
      partition,
      partition,
      fence,
      ...heldKeys,
      maxBytes
    ),

  ...settling,
  ...upkeep,

  mark: (subscriber, event) => {
    // Rows that are changed are not returned: who wrote the mark is in it.
    const token = randomUUID()
    return then(
      statement(
        `INSERT INTO eventbus_inbox (subscriber, event, token, handled_at) VALUES (?, ?, ?, ${now})
ON DUPLICATE KEY UPDATE event = VALUES(event)`,
        subscriber,
        event,
        token
      ),
      () =>
        statement(
          `SELECT event FROM eventbus_inbox WHERE subscriber = ? AND event = ? AND token = ?`,
          subscriber,
          event,
          token
        )
    )
  },
  purgeMarks: (olderThanMillis, limit) =>
    selected(
      statement(
        `SELECT position FROM eventbus_inbox WHERE handled_at < ${now} - ? ORDER BY handled_at LIMIT ${whole(limit)}`,
        olderThanMillis
      ),
      (positions) => deletion("eventbus_inbox", "handled_at >= 0", positions)
    ),

  migrations: migrations(keyLocks)
}
