/** What amqplib has inside, to compare with: how it writes and reads the bytes of the wire. */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const require = createRequire(import.meta.url)
const inside = (file: string): unknown =>
  // Not among what the package exports, so by its place.
  require(join(dirname(require.resolve("amqplib")), "lib", file))

interface Definitions {
  readonly BasicPublish: number
  readonly BasicDeliver: number
  readonly BasicProperties: number
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

/** A message as amqplib would write it, in frames of at most so many bytes. */
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
    // Copied: they are parts of a buffer that is used again.
    Buffer.from(defs.encodeMethod(method, channel, fields)),
    Buffer.from(defs.encodeProperties(defs.BasicProperties, channel, body.length, properties)),
    ...pieces
  ])
}
