#!/usr/bin/env bash
# RabbitMQ 4.0.5 (4.3.6 alike), seen 2026-11-29 with amqplib 2.3.1 on Node 20: a message that a quorum queue dead-letters
# arrives in its dead-letter queue as redelivered, with the delivery count of the queue that it left.
#
# A dead letter is a new message to the quorum queue that it is routed to: one expects `redelivered: false` and an
# `x-delivery-count` of 0 at the first delivery there, as from RabbitMQ 3.10.8. In 4.0 one rejection is enough: the
# first delivery from the dead-letter queue says redelivered, with `x-delivery-count: 1`. Who takes that count for returns
# to this queue (an operator's look, a reader that died) suspects letters that nobody has looked at.
#
# Seen, at the first delivery from the dead-letter queue:
#   redelivered true, x-delivery-count 1
#
# As root on Debian, with mmdebstrap: the broker runs in a root of its own in the temporary folder. Fails when that changes.
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
  trixie "$folder/root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$folder/root.log" 2>&1
version=$(dpkg-query --root "$folder/root" -W -f '${Version}' rabbitmq-server)
echo "RabbitMQ $version"
case "$version" in 4.0.5-*) ;; *) echo "another version"; exit 1 ;; esac

cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --loglevel=error amqplib@2.3.1 > /dev/null
port=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
echo "127.0.0.1 localhost" > root/etc/hosts
printf 'listeners.tcp.1 = 127.0.0.1:%s\n' "$port" > root/tmp/rabbitmq.conf
unshare --mount --pid --fork --kill-child -- sh -c "mount --make-rprivate / && mount --rbind /dev root/dev && mount -t proc proc root/proc && exec chroot root env \
  HOME=/tmp ERL_EPMD_PORT=$((port + 1)) RABBITMQ_NODENAME=letters@localhost RABBITMQ_MNESIA_BASE=/tmp/data RABBITMQ_LOGS=- \
  RABBITMQ_CONFIG_FILE=/tmp/rabbitmq.conf RABBITMQ_DIST_PORT=$((port + 2)) /usr/lib/rabbitmq/bin/rabbitmq-server" > broker.log 2>&1 &
broker=$!

cat > run.cjs <<'JS'
const { connect } = require("amqplib")
const { setTimeout: wait } = require("node:timers/promises")

const connected = async (tries) => {
  try {
    return await connect(`amqp://guest:guest@127.0.0.1:${process.argv[2]}`)
  } catch (error) {
    if (tries === 0) throw error
    await wait(500)
    return connected(tries - 1)
  }
}

const taken = async (channel, queue) => {
  for (let tries = 0; tries < 100; tries++) {
    const message = await channel.get(queue)
    if (message !== false) return message
    await wait(100)
  }
  throw new Error(`nothing in ${queue}`)
}

const main = async () => {
  const model = await connected(120)
  const channel = await model.createConfirmChannel()
  await channel.assertQueue("letters", { durable: true, arguments: { "x-queue-type": "quorum" } })
  const deadLettering = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "letters" }
  await channel.assertQueue("work", { durable: true, arguments: { "x-queue-type": "quorum", ...deadLettering } })
  channel.sendToQueue("work", Buffer.from("1"), { persistent: true })
  await channel.waitForConfirms()
  channel.reject(await taken(channel, "work"), false)
  const { fields, properties } = await taken(channel, "letters")
  const count = properties.headers["x-delivery-count"]
  console.log(`redelivered ${fields.redelivered}, x-delivery-count ${count}`)
  await model.close()
  process.exitCode = fields.redelivered === true && count === 1 ? 0 : 1
}
main()
JS
node run.cjs "$port"
