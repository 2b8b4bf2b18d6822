#!/usr/bin/env bash
# MariaDB 10.11.x of Debian 12, seen 2026-11-30 with mysql2 3.24.6 on Node 24: `DELETE t FROM t FORCE INDEX (PRIMARY) WHERE id IN (…)`
# scans a small table from end to end, although the same hint makes an UPDATE use the index. InnoDB locks each row that is looked at, so
# the deletion of other rows waits for a row that an open transaction has changed. With a condition besides, which is always
# true and whose column has an index of its own, the hint is followed and nothing is waited for.
#
# Seen, beside an open transaction that has changed the first of 21 rows (the others are updated or deleted):
#   update: waits
#   update, index forced: done
#   deletion, index forced: waits
#   deletion, index forced, condition besides: done
#
# As root on Debian 12: installs nothing but Debian's own package, unpacked into the temporary folder. Fails when one of the lines changes.
set -euo pipefail
folder=$(mktemp -d)
server=""
stop() {
  [ -z "$server" ] || { kill -9 "$server" 2> /dev/null; wait "$server" 2> /dev/null; } || true
  rm -rf --one-file-system "$folder"
}
trap stop EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -1)
mmdebstrap --quiet --variant=apt --mode=root --include=mariadb-server \
  --essential-hook='printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
  bookworm "$folder/root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" > "$folder/root.log" 2>&1
version=$(dpkg-query --root "$folder/root" -W -f '${Version}' mariadb-server)
echo "MariaDB $version"
case "$version" in 1:10.11.*) ;; *) echo "another version"; exit 1 ;; esac

cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --loglevel=error mysql2@3.24.6 > /dev/null
port=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
echo "127.0.0.1 localhost" > root/etc/hosts
chroot root mariadb-install-db --no-defaults --force --datadir=/tmp/data --skip-test-db --user=root > install.log 2>&1
chroot root mariadbd --no-defaults --datadir=/tmp/data --port="$port" --socket=/tmp/socket --pid-file=/tmp/pid \
  --bind-address=127.0.0.1 --skip-grant-tables --innodb-buffer-pool-size=32M --user=root > server.log 2>&1 &
server=$!

cat > look.mjs <<'JS'
import { createConnection } from "mysql2/promise"
import { setTimeout as delay } from "node:timers/promises"

const url = `mysql://root@127.0.0.1:${process.argv[2]}/mysql`
const connect = async () => {
  for (let times = 0; ; times++) {
    try {
      return await createConnection(url)
    } catch (error) {
      if (times > 600) throw error
      await delay(100)
    }
  }
}
const [holder, other] = [await connect(), await connect()]
await holder.query("CREATE DATABASE d")
for (const each of [holder, other]) await each.query("USE d")
await holder.query("CREATE TABLE t (id bigint PRIMARY KEY, state smallint NOT NULL, KEY state (state)) ENGINE=InnoDB")
for (let id = 1; id <= 21; id++) await holder.query("INSERT INTO t VALUES (?, 0)", [id])
const list = Array.from({ length: 20 }, (_, n) => n + 2).join(", ")
await other.query("SET innodb_lock_wait_timeout = 2")
await holder.query("BEGIN")
await holder.query("UPDATE t SET state = 1 WHERE id = 1")
const ways = {
  update: `UPDATE t SET state = 2 WHERE id IN (${list})`,
  "update, index forced": `UPDATE t FORCE INDEX (PRIMARY) SET state = 3 WHERE id IN (${list})`,
  "deletion, index forced": `DELETE t FROM t FORCE INDEX (PRIMARY) WHERE id IN (${list})`,
  "deletion, index forced, condition besides": `DELETE t FROM t FORCE INDEX (PRIMARY) WHERE state >= 0 AND id IN (${list})`
}
for (const [name, text] of Object.entries(ways)) {
  const end = await other.query(text).then(
    () => "done",
    (error) => (error.code === "ER_LOCK_WAIT_TIMEOUT" ? "waits" : String(error))
  )
  console.log(`${name}: ${end}`)
}
process.exit(0)
JS
seen=$(node look.mjs "$port")
echo "$seen"
[ "$seen" = "update: waits
update, index forced: done
deletion, index forced: waits
deletion, index forced, condition besides: done" ] || { echo "it behaves otherwise now"; exit 1; }
