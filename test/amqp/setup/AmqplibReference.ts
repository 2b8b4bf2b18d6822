/** amqplib's own reader and writer of frames, to compare with. */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const require = createRequire(import.meta.url)
const inside = (file: string): unknown =>
  // The package does not export it: loaded by its path.
  require(join(dirname(require.resolve("amqplib")), "lib", file))

interface Definitions {
  readonly BasicPublish: number
  readonly BasicDeliver: number
  readonly BasicReturn: number
  readonly BasicAck: number
  readonly BasicNack: number
  readonly BasicProperties: number
  readonly ConnectionStart: number
  readonly ConnectionStartOk: number
  readonly ConnectionTune: number
  readonly ConnectionOpen: number
  readonly ConnectionOpenOk: number
  readonly ConnectionClose: number
  readonly ConnectionCloseOk: number
  readonly ChannelOpen: number
  readonly ChannelOpenOk: number
  readonly ChannelClose: number
  readonly ChannelCloseOk: number
  readonly ConfirmSelect: number
  readonly ConfirmSelectOk: number
  readonly encodeMethod: (id: number, channel: number, fields: object) => Buffer
  readonly encodeProperties: (id: number, channel: number, size: number, fields: object) => Buffer
}

export interface Frame {
  readonly id?: number
  readonly channel: number
  readonly fields?: Readonly<Record<string, unknown>>
  readonly content?: Buffer
}

export interface Connection {
  rest: Buffer
  recvFrame: () => Frame | false
  accept: (frame: Frame) => void
  readonly acceptLoop: () => void
}

export const defs = inside("defs.js") as Definitions // amqplib's own module, of the exact version
const frames = inside("frame.js") as { readonly makeBodyFrame: (channel: number, payload: Buffer) => Buffer } // likewise
export const { Connection } = inside("connection.js") as { readonly Connection: new (stream: object) => Connection } // likewise

/** A message as amqplib would write it, in frames of up to `frameMax` bytes. */
export const framesOf = (
  method: number,
  channel: number,
  fields: object,
  properties: object,
  body: Buffer,
  frameMax: number
): Buffer => {
  const pieces: Array<Buffer> = []
  for (let at = 0; at < body.length; at += frameMax - 8)
    pieces.push(frames.makeBodyFrame(channel, body.subarray(at, at + frameMax - 8)))
  return Buffer.concat([
    // Copied, because amqplib uses this buffer again.
    Buffer.from(defs.encodeMethod(method, channel, fields)),
    Buffer.from(defs.encodeProperties(defs.BasicProperties, channel, body.length, properties)),
    ...pieces
  ])
}
