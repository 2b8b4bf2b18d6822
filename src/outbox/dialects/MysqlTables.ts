/** The tables for MariaDB and MySQL. Texts are compared by their bytes. */
import { type Migration, partitions, pending } from "./Dialect.ts"

const options = "ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

export const migrations = (keyLocks: number): ReadonlyArray<Migration> => [
  {
    id: 1,
    name: "outbox_and_inbox",
    statements: [
      `CREATE TABLE IF NOT EXISTS eventbus_outbox (
  position bigint AUTO_INCREMENT PRIMARY KEY,
  \`partition\` smallint NOT NULL,
  state smallint NOT NULL DEFAULT ${pending},
  event_id varchar(255) NOT NULL,
  event varchar(255) NOT NULL,
  event_key varchar(255),
  body longtext NOT NULL,
  meta mediumtext NOT NULL,
  appended_at bigint NOT NULL,
  settled_at bigint,
  reason text,
  KEY eventbus_outbox_pending (state, \`partition\`, position),
  KEY eventbus_outbox_settled (state, settled_at)
) ${options}`,
      `CREATE TABLE IF NOT EXISTS eventbus_outbox_key (slot smallint PRIMARY KEY) ${options}`,
      `INSERT IGNORE INTO eventbus_outbox_key (slot) VALUES ${Array.from({ length: keyLocks }, (_, n) => `(${n})`).join(", ")}`,
      `CREATE TABLE IF NOT EXISTS eventbus_outbox_lease (
  \`partition\` smallint PRIMARY KEY,
  owner varchar(255),
  fence bigint NOT NULL DEFAULT 0,
  expires_at bigint NOT NULL DEFAULT 0,
  term bigint NOT NULL DEFAULT 0
) ${options}`,
      `INSERT IGNORE INTO eventbus_outbox_lease (\`partition\`) VALUES ${Array.from({ length: partitions }, (_, n) => `(${n})`).join(", ")}`,
      `CREATE TABLE IF NOT EXISTS eventbus_inbox (
  position bigint AUTO_INCREMENT PRIMARY KEY,
  subscriber varchar(255) NOT NULL,
  event varchar(64) NOT NULL,
  token varchar(36) NOT NULL,
  handled_at bigint NOT NULL,
  UNIQUE KEY eventbus_inbox_mark (subscriber, event),
  KEY eventbus_inbox_handled (handled_at)
) ${options}`
    ]
  }
]
