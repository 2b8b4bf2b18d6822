#!/usr/bin/env bash
# ioredis 6.0.0 on Redis 7.0.15, seen 2026-11-29 on Node 20 and 24: a client for a database that it may not select works in
# another one.
#
# A client is opened with `db: 5` as a user whose ACL does not grant SELECT. One would expect that the connection fails, or that
# no command is sent until the database is selected. ioredis reports the refusal as an 'error' event, becomes "ready" all the
# same, and every command runs in database 0: what was meant for one application lands among the keys of another.
# A database that the server does not have is treated alike.
#
# Seen:
#   error event: NOPERM this user has no permissions to run the 'select' command
#   status: ready, set: OK
#   in database 0: written, in database 5: null
#
# Needs redis-server, Node and npm. Prints what happens and fails when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
server=""
stop() {
  [ -z "$server" ] || { kill -9 "$server" 2> /dev/null; wait "$server" 2> /dev/null; } || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
redis-server --version | grep -q 'v=7\.0\.15 ' || { echo "not 7.0.15"; exit 1; }
npm init -y > /dev/null
npm install --no-audit --no-fund --loglevel=error ioredis@6.0.0 > /dev/null
redis-server --port 0 --unixsocket "$folder/redis.sock" --save "" > server.log 2>&1 &
server=$!
for _ in $(seq 100); do [ -S "$folder/redis.sock" ] && break; sleep 0.1; done
redis-cli -s "$folder/redis.sock" ACL SETUSER app on '>x' '~*' '+@all' '-select' > /dev/null
cat > run.cjs <<'JS'
const { Redis } = require("ioredis")
const path = `${__dirname}/redis.sock`
const main = async () => {
  const errors = []
  const client = new Redis({ path, db: 5, username: "app", password: "x" })
  client.on("error", (error) => errors.push(error.message))
  const answer = await client.set("key", "written")
  console.log(`error event: ${errors[0]}`)
  console.log(`status: ${client.status}, set: ${answer}`)
  const zero = new Redis({ path, db: 0 })
  const five = new Redis({ path, db: 5 })
  const [inZero, inFive] = [await zero.get("key"), await five.get("key")]
  console.log(`in database 0: ${inZero}, in database 5: ${inFive}`)
  const isSo = /^NOPERM/.test(errors[0]) && client.status === "ready" && inZero === "written" && inFive === null
  process.exit(isSo ? 0 : 1)
}
main().catch((error) => { console.error(error); process.exit(1) })
JS
node run.cjs
