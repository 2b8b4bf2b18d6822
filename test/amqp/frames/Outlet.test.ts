/** Bytes that publish channels keep while the socket is full: nothing is lost, torn or out of order, and amqplib's own frames pass. */
import { assert, describe, it } from "@effect/vitest"
import { Duplex } from "node:stream"
import type { Outgoing, Properties } from "../../../src/bus/port/Broker.ts"
import { Frames } from "../../../src/amqp/frames/Frames.ts"
import * as MethodFrame from "../../../src/amqp/frames/MethodFrame.ts"
import * as Outlet from "../../../src/amqp/frames/Outlet.ts"
import { fromSeed } from "../../support/RandomSource.ts"

const { below, next, pick } = fromSeed(20270206)
const method = MethodFrame.publish("e", "k") ?? Buffer.alloc(0)
const properties: Properties = { messageId: "1", type: "t", timestamp: 0, appId: "a", contentType: "c" }

const outgoing = (body: Buffer): Outgoing => ({
  to: { _tag: "Event", name: "a.b" },
  key: undefined,
  body,
  properties,
  headers: {}
})

/** A socket whose other end reads when the test says so. */
const socketOf = () => {
  const taken: Array<Buffer> = []
  let passed: (() => void) | undefined
  const stream = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _, done) => {
      // Copied, because the buffer is used again once it is on the wire.
      taken.push(Buffer.from(chunk))
      passed = done
    }
  })
  return {
    stream,
    taken,
    pass: async (most = Number.POSITIVE_INFINITY) => {
      for (let left = most; left > 0 && passed !== undefined; left--) {
        const done = passed
        passed = undefined
        done()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
}

/** The first byte of each whole body, by channel; throws on a torn frame. */
const bodiesOf = (bytes: Buffer): ReadonlyMap<number, ReadonlyArray<number>> => {
  const found = new Map<number, Array<number>>()
  for (let at = 0; at < bytes.length;) {
    const [channel, end] = [bytes.readUInt16BE(at + 1), at + 7 + bytes.readUInt32BE(at + 3)]
    if (end >= bytes.length) break
    if (bytes[end] !== 0xce) throw new Error(`a frame on channel ${channel} is torn`)
    if (bytes[at] === 3) found.set(channel, [...(found.get(channel) ?? []), bytes[at + 7] ?? -1])
    at = end + 1
  }
  return found
}

const channelOn = (stream: Duplex, number: number, isUsable = () => true) => {
  const outlet = Outlet.make(stream, (bytes, written) => void stream.write(bytes, written), isUsable)
  return { number, outlet, frames: new Frames(number, 131_072, outlet.take), expected: [] as Array<number> }
}

describe("the outlet of publish channels", () => {
  it("P1, P6: with a full socket everything arrives in order and whole", async () => {
    const { pass, stream, taken } = socketOf()
    const channels = [1, 2, 3].map((number) => channelOn(stream, number))
    for (let round = 0; round < 400; round++) {
      const { expected, frames } = pick(channels)
      const mark = below(256)
      frames.write(method, outgoing(Buffer.alloc(pick([1, 500, 9000, 60_000, 131_064]), mark)))
      expected.push(mark)
      if (next() < 0.5) for (const { frames } of channels) frames.flush()
      if (next() < 0.05) await pass()
      if (next() < 0.05) await new Promise((resolve) => setImmediate(resolve))
      assert.isBelow(stream.writableLength, 2 * 1024 * 1024)
    }
    for (const { frames } of channels) frames.flush()
    await pass()
    const found = bodiesOf(Buffer.concat(taken))
    for (const { expected, number } of channels) assert.deepStrictEqual(found.get(number), expected)
  })

  it("P11: amqplib's own frames pass when the socket is empty, and every channel has its share", async () => {
    const { pass, stream, taken } = socketOf()
    // amqplib does the same when the socket is empty.
    const heartbeat = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce])
    const passedAt: Array<number> = []
    stream.on("drain", () => {
      passedAt.push(taken.length)
      stream.write(heartbeat)
    })
    const [busy, other] = [channelOn(stream, 1), channelOn(stream, 2)]
    const send = ({ frames }: typeof busy, mark: number): void => {
      frames.write(method, outgoing(Buffer.alloc(60_000, mark)))
      frames.flush()
    }
    for (let n = 0; n < 100; n++) send(busy, 1)
    send(other, 2)
    for (let n = 0; n < 200; n++) {
      // There is always more.
      send(busy, 1)
      await pass(1)
    }
    assert.isAbove(passedAt.length, 0)
    assert.deepStrictEqual(bodiesOf(Buffer.concat(taken)).get(2), [2])
  })

  it("nothing that a closed channel kept is sent", async () => {
    const { pass, stream, taken } = socketOf()
    let isUsable = true
    const [gone, other] = [channelOn(stream, 1, () => isUsable), channelOn(stream, 2)]
    for (let n = 0; n < 40; n++) {
      for (const { frames } of [gone, other]) {
        frames.write(method, outgoing(Buffer.alloc(60_000, n)))
        frames.flush()
      }
    }
    isUsable = false
    await pass()
    const found = bodiesOf(Buffer.concat(taken))
    assert.isBelow(found.get(1)?.length ?? 0, 20)
    assert.strictEqual(found.get(2)?.length, 40)
  })
})
