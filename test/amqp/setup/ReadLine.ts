/** A connection of amqplib after its handshake, which reads what a test feeds it. */
import { EventEmitter } from "node:events"
import { PassThrough } from "node:stream"
import { Connection, type Frame } from "./AmqplibReference.ts"

type Base = EventEmitter & { readonly ch: number; readonly connection: Connection }

/** `make` adds to a channel what amqplib does with its frames, and what the test remembers. */
export const lineOf = <C extends { accept: (frame: Frame) => void }>(make: (base: Base) => C) => {
  const stream = new PassThrough()
  const connection = new Connection(stream)
  const channels = new Map<number, C>()
  const channelOf = (ch: number): C => {
    const channel = make(Object.assign(new EventEmitter(), { ch, connection }))
    channels.set(ch, channel)
    return channel
  }
  connection.accept = (frame) => channels.get(frame.channel)?.accept(frame)
  return { connection, stream, channelOf }
}

/** Writes the bytes in pieces of these sizes, each in a turn of its own. */
export const feed = async (stream: PassThrough, bytes: Buffer, pieces: () => number): Promise<void> => {
  for (let at = 0; at < bytes.length;) {
    const size = pieces()
    stream.write(bytes.subarray(at, at + size))
    at += size
    await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setImmediate(resolve))
}
