#!/usr/bin/env bash
# RabbitMQ 3.10.8, seen 2026-11-30 with amqplib 2.3.1 on Node 24: one lost connection adds two to the delivery count of a message.
#
# A quorum queue counts in x-delivery-count how often a message came back unsettled, and dead-letters or drops it at its
# delivery limit. One expects one more for one lost connection. When two channels of that connection consume the queue and one
# of them has room, the channels end one after the other: what the first one held is delivered to the second, which is as
# good as gone, and comes back again. With a limit of 20, ten lost connections suffice.
#
# Seen, of 12 rounds each, the highest count after one lost connection:
#   one consumer on the connection: 1
#   two consumers on the connection: 2
#
# As root on Debian, with mmdebstrap: the broker runs in a root of its own in the temporary folder. Fails when one
# consumer gives another count than 1, or two consumers never give 2.
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
  HOME=/tmp ERL_EPMD_PORT=$((port + 1)) RABBITMQ_NODENAME=counts@localhost RABBITMQ_MNESIA_BASE=/tmp/data RABBITMQ_LOGS=- \
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

/** The delivery count of a message after the connection of its consumers was lost. */
const round = async (setup, queue, consumers) => {
  await setup.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } })
  const model = await connect(url)
  model.on("error", () => {})
  await new Promise((resolve) => {
    const open = async () => {
      for (let n = 0; n < consumers; n++) {
        const channel = await model.createChannel()
        channel.on("error", () => {})
        await channel.prefetch(1)
        await channel.consume(queue, resolve)
      }
      setup.sendToQueue(queue, Buffer.from("x"), { persistent: true })
    }
    open()
  })
  model.connection.stream.destroy()
  const channel = await setup.own.createChannel()
  const message = await new Promise((resolve) => {
    const look = async () => {
      const found = await channel.get(queue)
      if (found === false) setTimeout(look, 50)
      else resolve(found)
    }
    look()
  })
  channel.ack(message)
  await channel.close()
  await setup.deleteQueue(queue)
  return message.properties.headers["x-delivery-count"]
}

const main = async () => {
  const model = await connected(120)
  const setup = await model.createConfirmChannel()
  setup.own = model
  const highest = []
  for (const consumers of [1, 2]) {
    const counts = []
    for (let n = 0; n < 12; n++) counts.push(await round(setup, `q-${consumers}-${n}`, consumers))
    highest.push(Math.max(...counts))
    console.log(`${consumers} on the connection: counts ${[...new Set(counts)].sort().join(" and ")}`)
  }
  await model.close()
  process.exitCode = highest[0] === 1 && highest[1] === 2 ? 0 : 1
}
main()
JS
node run.cjs "$port"
