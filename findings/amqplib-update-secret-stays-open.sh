#!/usr/bin/env bash
# amqplib 2.3.1, seen 2026-11-29 on Node 20 and 24: `updateSecret` of a connection that ends meanwhile never settles.
#
# A broker that does not accept the new secret (a token that was revoked, say) answers connection.update-secret with
# connection.close. One would expect that the Promise rejects, as that of a pending `createChannel` does, or of `close`.
# Nothing but the broker's `update-secret-ok` settles it: who awaits it waits for ever, and a lost socket does the same.
# An 'error' listener of the connection hears the broker's reason, so race the Promise with 'close' and a deadline.
#
# Seen:
#   refused by the broker: connection error "530 (NOT-ALLOWED)", createChannel rejected, updateSecret is open
#   socket lost: createChannel rejected, updateSecret is open
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

const frame = (id, fields = {}) => Buffer.from(defs.encodeMethod(id, 0, fields))
const close = { replyCode: 530, replyText: "NOT_ALLOWED - new secret was refused", classId: 10, methodId: 70 }
let ends = "by close"
const answers = {
  [defs.ConnectionStartOk]: () => frame(defs.ConnectionTune, { channelMax: 10, frameMax: 131072, heartbeat: 0 }),
  [defs.ConnectionOpen]: () => frame(defs.ConnectionOpenOk),
  [defs.ConnectionUpdateSecret]: (socket) => (ends === "by close" ? frame(defs.ConnectionClose, close) : void socket.destroy())
}
const server = createServer((socket) => {
  let rest = Buffer.alloc(0)
  let greeted = false
  socket.on("error", () => {})
  socket.on("data", (bytes) => {
    if (!greeted) {
      greeted = true
      const start = { versionMajor: 0, versionMinor: 9, serverProperties: {}, mechanisms: Buffer.from("PLAIN"), locales: Buffer.from("en_US") }
      return socket.write(frame(defs.ConnectionStart, start))
    }
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= 8 && rest.length >= rest.readUInt32BE(3) + 8) {
      const end = rest.readUInt32BE(3) + 8
      const answer = rest[0] === 1 ? answers[rest.readUInt32BE(7)]?.(socket) : undefined
      if (answer !== undefined) socket.write(answer)
      rest = rest.subarray(end)
    }
  })
})

const round = async () => {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${server.address().port}?heartbeat=0`)
  let reason = ""
  connection.on("error", (error) => (reason = /\d{3} \([A-Z-]+\)/.exec(error.message)?.[0] ?? ""))
  const closed = new Promise((resolve) => connection.on("close", resolve))
  const state = { updateSecret: "open", createChannel: "open" }
  const follow = (name, promise) => promise.then(() => (state[name] = "resolved"), () => (state[name] = "rejected"))
  follow("createChannel", connection.createChannel()) // its answer never comes either
  follow("updateSecret", connection.updateSecret(Buffer.from("next"), "renewed"))
  await closed
  await new Promise((resolve) => setTimeout(resolve, 2000))
  return { ...state, reason }
}
server.listen(0, "127.0.0.1", async () => {
  const refused = await round()
  ends = "by a lost socket"
  const lost = await round()
  console.log(`refused by the broker: connection error "${refused.reason}", createChannel ${refused.createChannel}, updateSecret is ${refused.updateSecret}`)
  console.log(`socket lost: createChannel ${lost.createChannel}, updateSecret is ${lost.updateSecret}`)
  const isSo = [refused, lost].every((seen) => seen.updateSecret === "open" && seen.createChannel === "rejected")
  console.log(isSo ? "as described" : "this has changed")
  process.exit(isSo ? 0 : 1)
})
JS
node run.cjs
