#!/usr/bin/env bash
# amqplib 2.3.1, seen 2026-11-29 on Node 20 and 24: a channel that the broker closes right behind the answer to its
# opening takes the connection along.
#
# RabbitMQ may close a channel at any time, also in the same packet as its answer to `confirm.select`. One would expect
# that `createConfirmChannel()` rejects, or that an 'error' listener which is added as soon as it resolves hears of it.
# amqplib reads both frames in one go: the channel emits 'error' before the Promise resolves, when nobody can listen yet.
# An 'error' without a listener is taken for a fault of the connection, which amqplib then closes, with every channel on it.
# The Promise resolves all the same, to a channel that is closed.
#
# Seen:
#   createConfirmChannel resolved
#   connection error: Channel closed by server: 541 (INTERNAL-ERROR) with message "INTERNAL_ERROR"
#   neighbour closed
#
# The server below speaks plain AMQP 0-9-1. Prints what happens and fails when that is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --loglevel=error amqplib@2.3.1 > /dev/null
cat > run.cjs <<'JS'
const { createServer } = require("node:net")
const { connect } = require("amqplib")
const defs = require(require("node:path").join(__dirname, "node_modules/amqplib/lib/defs.js"))

const frame = (id, channel, fields = {}) => Buffer.from(defs.encodeMethod(id, channel, fields))
const close = { replyCode: 541, replyText: "INTERNAL_ERROR", classId: 0, methodId: 0 }
let opened = 0
const answer = (id, channel) => {
  if (id === defs.ConnectionStartOk) return [frame(defs.ConnectionTune, 0, { channelMax: 10, frameMax: 131072, heartbeat: 0 })]
  if (id === defs.ConnectionOpen) return [frame(defs.ConnectionOpenOk, 0)]
  if (id === defs.ConnectionClose) return [frame(defs.ConnectionCloseOk, 0)]
  if (id === defs.ChannelOpen) return [frame(defs.ChannelOpenOk, channel)]
  if (id !== defs.ConfirmSelect) return []
  // The second confirm channel is closed in the packet that answers it.
  const ok = frame(defs.ConfirmSelectOk, channel)
  return ++opened === 2 ? [ok, frame(defs.ChannelClose, channel, close)] : [ok]
}
const server = createServer((socket) => {
  let rest = Buffer.alloc(0)
  let greeted = false
  socket.on("error", () => {})
  socket.on("data", (bytes) => {
    if (!greeted) {
      greeted = true
      const start = { versionMajor: 0, versionMinor: 9, serverProperties: {}, mechanisms: Buffer.from("PLAIN"), locales: Buffer.from("en_US") }
      return socket.write(frame(defs.ConnectionStart, 0, start))
    }
    rest = Buffer.concat([rest, bytes])
    const answers = []
    while (rest.length >= 8 && rest.length >= rest.readUInt32BE(3) + 8) {
      const end = rest.readUInt32BE(3) + 8
      if (rest[0] === 1) answers.push(...answer(rest.readUInt32BE(7), rest.readUInt16BE(1)))
      rest = rest.subarray(end)
    }
    if (answers.length > 0) socket.write(Buffer.concat(answers))
  })
})
server.listen(0, "127.0.0.1", async () => {
  const seen = []
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${server.address().port}?heartbeat=0`)
  connection.on("error", (error) => seen.push(`connection error: ${error.message}`))
  const neighbour = await connection.createConfirmChannel()
  neighbour.on("error", (error) => seen.push(`neighbour error: ${error.message}`))
  neighbour.on("close", () => seen.push("neighbour closed"))
  const second = await connection.createConfirmChannel().then(
    (channel) => {
      channel.on("error", () => seen.push("the listener of the second channel was called"))
      return "resolved"
    },
    (error) => `rejected: ${error.message}`
  )
  seen.unshift(`createConfirmChannel ${second}`)
  await new Promise((resolve) => setTimeout(resolve, 300))
  console.log(seen.join("\n"))
  const isSo =
    second === "resolved" &&
    seen.some((line) => line.startsWith("connection error")) &&
    seen.includes("neighbour closed") &&
    !seen.includes("the listener of the second channel was called")
  console.log(isSo ? "as described" : "this has changed")
  process.exit(isSo ? 0 : 1)
})
JS
node run.cjs
