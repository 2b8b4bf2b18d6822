/** A server that speaks just enough AMQP 0-9-1 to open confirm channels, and closes some of them right behind the answer. */
import { createServer, type Socket } from "node:net"
import { defs } from "./AmqplibReference.ts"

const frameEnd = 0xce
const header = 7

/** The method frames that lie in these bytes, and how many bytes they take. */
const methodsIn = (bytes: Buffer) => {
  const methods: Array<{ readonly id: number; readonly channel: number }> = []
  let at = 0
  while (bytes.length - at >= header) {
    const end = at + header + bytes.readUInt32BE(at + 3) + 1
    if (bytes.length < end || bytes[end - 1] !== frameEnd) break
    if (bytes[at] === 1) methods.push({ id: bytes.readUInt32BE(at + header), channel: bytes.readUInt16BE(at + 1) })
    at = end
  }
  return { methods, taken: at }
}

const method = (id: number, channel: number, fields: object = {}): Buffer =>
  // Copied, because amqplib uses this buffer again.
  Buffer.from(defs.encodeMethod(id, channel, fields))

/** `closes` is asked for each confirm channel, by its place in the order of opening, from 1. */
export const start = async (closes: (opened: number) => boolean) => {
  let opened = 0
  let connections = 0
  const sockets = new Set<Socket>()
  const answer = (id: number, channel: number): ReadonlyArray<Buffer> => {
    switch (id) {
      case defs.ConnectionStartOk:
        return [method(defs.ConnectionTune, 0, { channelMax: 100, frameMax: 131_072, heartbeat: 0 })]
      case defs.ConnectionOpen:
        return [method(defs.ConnectionOpenOk, 0)]
      case defs.ConnectionClose:
        return [method(defs.ConnectionCloseOk, 0)]
      case defs.ChannelOpen:
        return [method(defs.ChannelOpenOk, channel)]
      case defs.ChannelClose:
        return [method(defs.ChannelCloseOk, channel)]
      case defs.ConfirmSelect: {
        const close = { replyCode: 541, replyText: "INTERNAL_ERROR", classId: 0, methodId: 0 }
        const ok = method(defs.ConfirmSelectOk, channel)
        return closes(++opened) ? [ok, method(defs.ChannelClose, channel, close)] : [ok]
      }
      default:
        return []
    }
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    connections++
    let rest = Buffer.alloc(0)
    let greeted = false
    socket.on("error", () => {})
    socket.on("data", (bytes) => {
      if (!greeted) {
        greeted = true
        const start = {
          versionMajor: 0,
          versionMinor: 9,
          serverProperties: {},
          mechanisms: Buffer.from("PLAIN"),
          locales: Buffer.from("en_US")
        }
        return socket.write(method(defs.ConnectionStart, 0, start))
      }
      const { methods, taken } = methodsIn((rest = Buffer.concat([rest, bytes])))
      rest = rest.subarray(taken)
      // In one write, so that the client reads the close together with the answer before it.
      const answers = methods.flatMap(({ channel, id }) => answer(id, channel))
      return answers.length > 0 && socket.write(Buffer.concat(answers))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    opened: () => opened,
    connections: () => connections,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}
