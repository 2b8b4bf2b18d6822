#!/usr/bin/env bash
# RabbitMQ 4.0.5, seen 2026-11-30 with amqplib 2.3.1 on Node 24: a channel that sends its first message to a quorum queue while the
# leader of that queue hangs gets no confirm for 65 seconds, although another leader is elected within about ten.
#
# Three nodes; the one that leads the queue is stopped for 14 seconds (SIGSTOP) and goes on then. A channel that was used before is
# confirmed by the new leader within seconds, and so is one that is opened afterwards. A channel that is opened in between asks the old
# leader, and does nothing else until net_ticktime and 5 seconds are over: all that is published on it waits, for any queue, also
# after the hung node is back. The same was seen on 4.3.6; 3.10.8 goes on as soon as the node is back.
#
# Seen:
#   used before: confirmed within 30 s
#   opened while the leader hung: confirmed after 65 s
#   opened when it was back: confirmed within 30 s
#
# As root on Debian, with mmdebstrap: the nodes run in a root of their own in the temporary folder. Fails when one of the three
# lines changes. It takes about two minutes.
set -euo pipefail
folder=$(mktemp -d)
broker=""
stop() {
  [ -z "$broker" ] || { bash "$folder/signal.sh" CONT; kill -9 "$broker" 2> /dev/null; wait "$broker" 2> /dev/null; } || true
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
for n in 0 1 2; do
  {
    printf 'listeners.tcp.1 = 127.0.0.1:%s\n' $((port + n))
    printf 'cluster_formation.peer_discovery_backend = classic_config\n'
    for m in 0 1 2; do printf 'cluster_formation.classic_config.nodes.%s = stuck%s@localhost\n' $((m + 1)) "$m"; done
  } > "root/tmp/stuck$n.conf"
done
cat > root/tmp/start.sh <<'SH'
export HOME=/tmp RABBITMQ_LOGS=- ERL_EPMD_PORT=$((PORT + 3))
head -c 20 /dev/urandom | md5sum | cut -c1-20 > /tmp/.erlang.cookie
chmod 400 /tmp/.erlang.cookie
for n in 0 1 2; do
  RABBITMQ_NODENAME=stuck$n@localhost RABBITMQ_MNESIA_BASE=/tmp/data$n RABBITMQ_CONFIG_FILE=/tmp/stuck$n.conf \
    RABBITMQ_ENABLED_PLUGINS_FILE=/tmp/none RABBITMQ_DIST_PORT=$((PORT + 4 + n)) /usr/lib/rabbitmq/bin/rabbitmq-server > /tmp/stuck$n.log 2>&1 &
done
wait
SH
unshare --mount --pid --fork --kill-child -- sh -c "mount --make-rprivate / && mount --rbind /dev root/dev && mount -t proc proc root/proc && exec chroot root env PORT=$port bash /tmp/start.sh" > broker.log 2>&1 &
broker=$!

# Nodes say their names in their environment alone.
cat > signal.sh <<'SH'
for pid in $(pgrep beam.smp); do
  tr '\0' '\n' < "/proc/$pid/environ" 2> /dev/null | grep -qx RABBITMQ_NODENAME=stuck1@localhost && kill "-$1" "$pid"
done
true
SH

cat > run.cjs <<'JS'
const { connect } = require("amqplib")
const { execFileSync } = require("node:child_process")
const { setTimeout: wait } = require("node:timers/promises")
const port = Number(process.argv[2])

const connected = async (node, tries = 240) => {
  try {
    const model = await connect(`amqp://guest:guest@127.0.0.1:${port + node}`)
    model.on("error", () => {})
    return model
  } catch (error) {
    if (tries === 0) throw error
    await wait(500)
    return connected(node, tries - 1)
  }
}
const signal = (name) => execFileSync("bash", ["signal.sh", name])
const confirmChannel = async (model) => {
  const channel = await model.createConfirmChannel()
  channel.on("error", () => {})
  return channel
}
/** Seconds until the confirm. */
const publish = async (channel) => {
  const begun = performance.now()
  channel.sendToQueue("orders", Buffer.from("x"), { persistent: true })
  await channel.waitForConfirms()
  return Math.round((performance.now() - begun) / 1000)
}

const main = async () => {
  for (const node of [0, 2]) await (await connected(node)).close()
  // The node of the client that declares a queue leads it; a cluster of three needs all of them first.
  const declaring = await connected(1)
  const channel = await declaring.createChannel()
  for (;;) {
    await channel.assertQueue("orders", { durable: true, arguments: { "x-queue-type": "quorum" } })
    const model = await connected(0)
    const probe = await model.createChannel()
    const members = execFileSync("chroot", ["root", "env", "HOME=/tmp", `ERL_EPMD_PORT=${port + 3}`, "/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "-n", "stuck0@localhost", "list_queues", "name", "members"], { encoding: "utf8" })
    await probe.close()
    await model.close()
    if (["stuck0", "stuck1", "stuck2"].every((name) => members.includes(name))) break
    await channel.deleteQueue("orders")
    await wait(1000)
  }
  const other = await connected(0)
  const before = await confirmChannel(other)
  await publish(before)
  signal("STOP")
  const rows = [["used before", publish(before)]]
  await wait(1000)
  rows.push(["opened while the leader hung", publish(await confirmChannel(other))])
  await wait(13000)
  signal("CONT")
  await wait(2000)
  rows.push(["opened when it was back", publish(await confirmChannel(other))])
  const expected = ["confirmed within 30 s", "confirmed after 65 s", "confirmed within 30 s"]
  for (const [index, [what, seconds]] of rows.entries()) {
    const took = await seconds
    const seen = took <= 30 ? "confirmed within 30 s" : `confirmed after ${took} s`
    console.log(`${what}: ${seen}`)
    if (seen !== expected[index]) process.exitCode = 1
  }
  process.exit()
}
main()
JS
node run.cjs "$port"
