#!/usr/bin/env bash
# RabbitMQ 3.10.8, seen 2026-11-30 with amqplib 2.3.1 on Node 24: deleting a quorum queue only if it is empty ends the connection.
#
# AMQP has queue.delete with if-empty, and a queue that is not empty is refused by closing the channel (406). On a quorum
# queue both flags, if-empty and if-unused, are answered by 540 NOT_IMPLEMENTED, which closes the whole connection with every
# channel on it, also when the queue is empty and unused. A classic queue of the same connection is deleted.
#
# Seen:
#   classic, ifEmpty: deleted
#   quorum, ifEmpty: connection closed with 540
#   quorum, ifUnused: connection closed with 540
#   quorum, no flag: deleted
#
# As root on Debian, with mmdebstrap: the broker runs in a root of its own in the temporary folder. Fails when one of the four
# lines changes.
set -euo pipefail
folder=$(mktemp -d)
broker=""
stop() {
  [ -z "$broker" ] || { kill -9 "$broker" 2> /dev/null; wait "$broker" 2> /dev/null; } || true
  rm -rf --one-file-system "$folder"
}
trap stop EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -1)
mmdebstrap --quiet --variant=apt --mode=root --include=rabbitmq-server \
  --essential-hook='printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
  bookworm "$folder/root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" > "$folder/root.log" 2>&1
version=$(dpkg-query --root "$folder/root" -W -f '${Version}' rabbitmq-server)
echo "RabbitMQ $version"
case "$version" in 3.10.8-*) ;; *) echo "another version"; exit 1 ;; esac

cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --loglevel=error amqplib@2.3.1 > /dev/null
port=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
echo "127.0.0.1 localhost" > root/etc/hosts
printf 'listeners.tcp.1 = 127.0.0.1:%s\n' "$port" > root/tmp/rabbitmq.conf
unshare --mount --pid --fork --kill-child -- sh -c "mount --make-rprivate / && mount --rbind /dev root/dev && mount -t proc proc root/proc && exec chroot root env \
  HOME=/tmp ERL_EPMD_PORT=$((port + 1)) RABBITMQ_NODENAME=deletes@localhost RABBITMQ_MNESIA_BASE=/tmp/data RABBITMQ_LOGS=- \
  RABBITMQ_CONFIG_FILE=/tmp/rabbitmq.conf RABBITMQ_DIST_PORT=$((port + 2)) /usr/lib/rabbitmq/bin/rabbitmq-server" > broker.log 2>&1 &
broker=$!

cat > run.cjs <<'JS'
const { connect } = require("amqplib")
const { setTimeout: wait } = require("node:timers/promises")
const url = `amqp://guest:guest@127.0.0.1:${process.argv[2]}`

const connected = async (tries) => {
  try {
    return await connect(url)
  } catch (error) {
    if (tries === 0) throw error
    await wait(500)
    return connected(tries - 1)
  }
}

/** What becomes of an empty queue, or of the connection. */
const round = async (type, flags) => {
  const model = await connected(120)
  const closed = new Promise((resolve) => model.on("error", (error) => resolve(`connection closed with ${error.code}`)))
  const channel = await model.createChannel()
  channel.on("error", () => {})
  const queue = `${type}-${Object.keys(flags)}`
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": type } })
  const deleted = channel.deleteQueue(queue, flags).then(
    () => "deleted",
    () => wait(2000, "channel closed")
  )
  const end = await Promise.race([deleted, closed])
  if (end === "deleted") await model.close()
  return end
}

const main = async () => {
  const rows = [
    ["classic", { ifEmpty: true }, "deleted"],
    ["quorum", { ifEmpty: true }, "connection closed with 540"],
    ["quorum", { ifUnused: true }, "connection closed with 540"],
    ["quorum", {}, "deleted"]
  ]
  for (const [type, flags, expected] of rows) {
    const end = await round(type, flags)
    console.log(`${type}, ${Object.keys(flags)[0] ?? "no flag"}: ${end}`)
    if (end !== expected) process.exitCode = 1
  }
}
main()
JS
node run.cjs "$port"
