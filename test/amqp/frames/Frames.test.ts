/** A publish on the wire: byte for byte what amqplib writes for the same message. */
import { assert, describe, it } from "@effect/vitest"
import type { Headers, Outgoing, Properties } from "../../../src/bus/port/Broker.ts"
import { type Body, bytesOf } from "../../../src/event/Body.ts"
import { Frames } from "../../../src/amqp/frames/Frames.ts"
import * as MethodFrame from "../../../src/amqp/frames/MethodFrame.ts"
import { fromSeed } from "../../support/RandomSource.ts"
import { defs, framesOf } from "../setup/AmqplibReference.ts"

const { below, next, pick } = fromSeed(20270204)
const texts = ["", "a", "é", "日本", "🙂", "x".repeat(85), "\u0000", "line\n", "a.b.c", "\ud800"]
const numbers = [
  0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1,
  2 ** 50, 2 ** 53, -(2 ** 53), 2 ** 62, 2 ** 63, 2 ** 64, 0.5, -0.5, 1e300, 1764298800000, -0
] // prettier-ignore
const sizes = [0, 1, 300, 4088, 4089, 8191, 8192, 8193, 70_000, 131_064, 131_065, 300_000]

const headersOf = (): Headers => {
  const headers: Record<string, string | number | boolean> = {}
  for (let left = below(5); left > 0; left--) {
    headers[`${pick(texts)}${left}`] = pick<() => string | number | boolean>([
      () => pick(texts),
      () => pick(numbers),
      () => next() < 0.5,
      () => "long".repeat(below(400))
    ])()
  }
  return headers
}

const propertiesOf = (): Properties => ({
  messageId: pick(texts),
  type: pick(texts),
  timestamp: below(2 ** 45),
  appId: pick(texts),
  contentType: "application/cloudevents+json",
  ...(next() < 0.5 && { correlationId: pick(texts) })
})

const byAmqplib = (
  channel: number,
  [exchange, routingKey]: readonly [string, string],
  { timestamp, ...properties }: Properties,
  headers: Headers,
  body: Buffer,
  frameMax: number
): Buffer =>
  framesOf(
    defs.BasicPublish,
    channel,
    { exchange, routingKey, mandatory: true, immediate: false, ticket: 0 },
    {
      ...properties,
      contentEncoding: "utf-8",
      deliveryMode: 2,
      timestamp: Math.floor(timestamp / 1000),
      headers
    },
    body,
    frameMax
  )

/** Bytes are on the wire now or later, as with a socket: so a buffer that is reused too soon shows. */
const sending =
  (sent: Array<Buffer>) =>
  (bytes: Buffer, _whole: boolean, written: () => void): void => {
    if (next() < 0.5) {
      sent.push(Buffer.from(bytes))
      written()
    } else sent.push(bytes)
  }

const properties: Properties = {
  messageId: "1",
  type: "a.b",
  timestamp: 0,
  appId: "s",
  contentType: "text/plain"
}
const outgoing = (body: Body, properties: Properties, headers: Headers): Outgoing => ({
  to: { _tag: "Event", name: "a.b" },
  key: undefined,
  body,
  properties,
  headers
})
const methodOf = (exchange: string, routingKey: string): Buffer => {
  const method = MethodFrame.publish(exchange, routingKey)
  assert.isDefined(method)
  return method ?? Buffer.alloc(0)
}

/** The frames of a connection by channel; throws on a torn frame. */
const byChannel = (bytes: Buffer): ReadonlyMap<number, Buffer> => {
  const all = new Map<number, Array<Buffer>>()
  for (let at = 0; at < bytes.length;) {
    const [channel, end] = [bytes.readUInt16BE(at + 1), at + 7 + bytes.readUInt32BE(at + 3)]
    if (bytes[end] !== 0xce) throw new Error(`a frame on channel ${channel} is torn`)
    all.set(channel, [...(all.get(channel) ?? []), bytes.subarray(at, end + 1)])
    at = end + 1
  }
  return new Map([...all].map(([channel, frames]) => [channel, Buffer.concat(frames)]))
}

describe("frames of a publish", () => {
  it("P1: any message is written as amqplib writes it, one after the other, however often they are flushed", () => {
    for (let round = 0; round < 150; round++) {
      const channel = 1 + below(2047)
      const frameMax = pick([4096, 8192, 131_072])
      const sent: Array<Buffer> = []
      const frames = new Frames(channel, frameMax, sending(sent))
      const expected: Array<Buffer> = []
      for (let left = 1 + below(12); left > 0; left--) {
        const to = [pick(texts), pick(texts)] as const
        const [all, headers] = [propertiesOf(), headersOf()]
        const body = next() < 0.5 ? Buffer.alloc(pick(sizes), left) : pick(texts.slice(0, -1)).repeat(pick(sizes) / 4)
        frames.write(methodOf(...to), outgoing(body, all, headers))
        expected.push(byAmqplib(channel, to, all, headers, bytesOf(body), frameMax))
        if (next() < 0.3) frames.flush()
      }
      frames.flush()
      // Compared at the end: a buffer that was sent could still be overwritten.
      assert.isTrue(Buffer.concat(sent).equals(Buffer.concat(expected)), `round ${round}`)
    }
  })

  it("P1: two channels of one connection never tear each other's frames, whatever their sizes", () => {
    for (let round = 0; round < 60; round++) {
      const sent: Array<Buffer> = []
      const channels = [1, 2].map((channel) => ({
        channel,
        frames: new Frames(channel, 131_072, sending(sent)),
        expected: [] as Array<Buffer>
      }))
      for (let left = 10; left > 0; left--) {
        const { channel, expected, frames } = pick(channels)
        const body = Buffer.alloc(pick(sizes), left)
        frames.write(methodOf("e", "k"), outgoing(body, properties, {}))
        expected.push(byAmqplib(channel, ["e", "k"], properties, {}, body, 131_072))
        if (next() < 0.3) pick(channels).frames.flush()
      }
      for (const { frames } of channels) frames.flush()
      const found = byChannel(Buffer.concat(sent))
      for (const { channel, expected } of channels)
        assert.isTrue((found.get(channel) ?? Buffer.alloc(0)).equals(Buffer.concat(expected)), `round ${round}`)
    }
  })

  it("without a limit a body is one frame", () => {
    const sent: Array<Buffer> = []
    const body = Buffer.alloc(60_000, 7)
    const frames = new Frames(1, 0, sending(sent))
    frames.write(methodOf("e", "k"), outgoing(body, properties, {}))
    frames.flush()
    assert.isTrue(Buffer.concat(sent).equals(byAmqplib(1, ["e", "k"], properties, {}, body, 1_000_000)))
  })

  it("PUB13, PUB14: values that the wire cannot carry throw, and nothing is written", () => {
    const odd = (value: unknown) => value as string // callers come from outside of TypeScript too
    const long = "é".repeat(128)
    const cases: ReadonlyArray<readonly [Partial<Properties>, Headers]> = [
      [{ messageId: long }, {}],
      [{ type: long }, {}],
      [{ appId: long }, {}],
      [{ contentType: long }, {}],
      [{ correlationId: long }, {}],
      [{ messageId: odd(5) }, {}],
      [{ type: odd(undefined) }, {}],
      [{ appId: odd(null) }, {}],
      [{ correlationId: odd({}) }, {}],
      [{ timestamp: Number.NaN }, {}],
      [{ timestamp: -1000 }, {}],
      [{}, { [long]: 1 }],
      [{}, { a: odd({}) }],
      [{}, { a: odd(null) }],
      [{}, { a: odd(Symbol.iterator) }],
      [{}, { a: odd(5n) }]
    ]
    const sent: Array<Buffer> = []
    const frames = new Frames(1, 131_072, sending(sent))
    const body = Buffer.from("body")
    frames.write(methodOf("e", "k"), outgoing(body, properties, {}))
    for (const [fault, headers] of cases)
      assert.throws(() => frames.write(methodOf("e", "k"), outgoing(body, { ...properties, ...fault }, headers)))
    frames.write(methodOf("e", "k"), outgoing(body, properties, {}))
    frames.flush()
    const one = byAmqplib(1, ["e", "k"], properties, {}, body, 131_072)
    assert.isTrue(Buffer.concat(sent).equals(Buffer.concat([one, one])))
    assert.isUndefined(MethodFrame.publish(long, "k"))
    assert.isUndefined(MethodFrame.publish("e", long))
  })

  it("discarded messages are never sent, and messages after them are", () => {
    const sent: Array<Buffer> = []
    const frames = new Frames(1, 131_072, sending(sent))
    frames.write(methodOf("e", "lost"), outgoing(Buffer.from("1"), properties, {}))
    frames.discard()
    frames.flush()
    assert.deepStrictEqual(sent, [])
    frames.write(methodOf("e", "k"), outgoing(Buffer.from("2"), properties, {}))
    frames.flush()
    assert.isTrue(Buffer.concat(sent).equals(byAmqplib(1, ["e", "k"], properties, {}, Buffer.from("2"), 131_072)))
  })
})
