#!/usr/bin/env bash
# RabbitMQ 3.10.8 (4.0.5 and 4.3.6 alike), seen 2026-11-29 with amqplib 2.3.1 on Node 24: a channel that is closed in order
# forgets acknowledgements that it received before the close.
#
# AMQP 0-9-1 has no answer to basic.ack, so one expects that acks which are sent before channel.close on the same channel
# are done when close-ok comes. With a quorum queue the channel has at most about 32 commands under way to the queue;
# further acks wait in the channel until the first ones are applied. channel.close does not wait for them. The messages
# are delivered again, with a higher x-delivery-count. No error is reported, and it happens on an idle broker.
#
# A cancel that is answered before the close avoids it: it is a command of the queue, too. One ack of many (multiple) is a
# single command, and is not affected.
#
# Seen, of 200 messages that were acknowledged one by one in each round:
#   ack, close: 166 or 167 come back
#   ack, cancel, close: 0 come back
#   one ack of all, close: 0 come back
#
# As root on Debian, with mmdebstrap: the broker runs in a root of its own in the temporary folder. Fails when the numbers
# of the second and third line are not 0, or when the first line is 0 in all rounds.
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
  HOME=/tmp ERL_EPMD_PORT=$((port + 1)) RABBITMQ_NODENAME=acks@localhost RABBITMQ_MNESIA_BASE=/tmp/data RABBITMQ_LOGS=- \
  RABBITMQ_CONFIG_FILE=/tmp/rabbitmq.conf RABBITMQ_DIST_PORT=$((port + 2)) /usr/lib/rabbitmq/bin/rabbitmq-server" > broker.log 2>&1 &
broker=$!

cat > run.cjs <<'JS'
const { connect } = require("amqplib")
const { setTimeout: wait } = require("node:timers/promises")
const count = 200

const connected = async (tries) => {
  try {
    return await connect(`amqp://guest:guest@127.0.0.1:${process.argv[2]}`)
  } catch (error) {
    if (tries === 0) throw error
    await wait(500)
    return connected(tries - 1)
  }
}

const round = async (model, queue, end) => {
  const setup = await model.createConfirmChannel()
  await setup.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } })
  for (let n = 0; n < count; n++) setup.sendToQueue(queue, Buffer.from(String(n)), { persistent: true })
  await setup.waitForConfirms()
  const channel = await model.createChannel()
  await channel.prefetch(count)
  const messages = []
  await new Promise((resolve, reject) => {
    const take = (message) => {
      messages.push(message)
      if (messages.length === count) resolve()
    }
    channel.consume(queue, take, { consumerTag: "reader" }).catch(reject)
  })
  await end(channel, messages)
  await channel.close()
  await wait(1000)
  const { messageCount } = await setup.checkQueue(queue)
  await setup.deleteQueue(queue)
  await setup.close()
  return messageCount
}

const ends = {
  "ack, close": (channel, messages) => messages.forEach((message) => channel.ack(message)),
  "ack, cancel, close": async (channel, messages) => {
    messages.forEach((message) => channel.ack(message))
    await channel.cancel("reader")
  },
  "one ack of all, close": (channel, messages) => channel.ack(messages.at(-1), true)
}

const main = async () => {
  const model = await connected(120)
  const worst = []
  for (const [name, end] of Object.entries(ends)) {
    const counts = []
    for (let n = 0; n < 5; n++) counts.push(await round(model, `q-${name.replaceAll(/\W/g, "")}-${n}`, end))
    worst.push(Math.max(...counts))
    console.log(`${name}: ${[...new Set(counts)].join(" or ")} come back`)
  }
  await model.close()
  process.exitCode = worst[0] > 0 && worst[1] === 0 && worst[2] === 0 ? 0 : 1
}
main()
JS
node run.cjs "$port"
