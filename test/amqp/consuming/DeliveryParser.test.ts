/** Deliveries read from the bytes of a connection: the same messages that amqplib reads, in the same order, however they arrive. */
import { assert, describe, it } from "@effect/vitest"
import type { Channel, ConsumeMessage } from "amqplib"
import * as DeliveryParser from "../../../src/amqp/consuming/DeliveryParser.ts"
import * as ReceivedMessage from "../../../src/amqp/consuming/ReceivedMessage.ts"
import { fromSeed } from "../../support/RandomSource.ts"
import { defs, type Frame, framesOf } from "../setup/AmqplibReference.ts"
import * as ReadLine from "../setup/ReadLine.ts"

const { below, next, pick } = fromSeed(20270205)
const texts = ["", "a", "é", "日本", "🙂", "x".repeat(80), "eduflow.events", "a.b.c"]
const plain: ReadonlyArray<unknown> = [
  ...texts,
  true,
  false,
  0,
  -1,
  127,
  -128,
  300,
  -40_000,
  2 ** 31,
  -(2 ** 40),
  2 ** 53,
  1.5,
  "long".repeat(300)
]
// Values that are left to amqplib.
const odd: ReadonlyArray<unknown> = [
  null,
  [1, "a", { b: [] }],
  { inner: { deep: 1 } },
  Buffer.from([1, 2, 3]),
  { "!": "timestamp", value: 5 },
  { "!": "decimal", value: { places: 2, digits: 100 } },
  { "!": "byte", value: 3 },
  { "!": "uint32", value: 7 },
  { "!": "float", value: 0.5 }
]
const sizes = [0, 1, 10, 400, 4088, 4089, 20_000]

const maybe = (name: string, make: () => unknown): object => (next() < 0.6 ? { [name]: make() } : {})

const propertiesOf = (): object => {
  const table: Record<string, unknown> = Object.create(null)
  for (let left = below(4); left > 0; left--) table[pick(["__proto__", ...texts])] = pick(next() < 0.2 ? odd : plain)
  return {
    ...maybe("contentType", () => pick(texts)),
    ...maybe("contentEncoding", () => pick(texts)),
    ...maybe("headers", () => (next() < 0.5 ? {} : table)),
    ...maybe("deliveryMode", () => below(3)),
    ...(next() < 0.1 && { priority: below(10) }),
    ...maybe("correlationId", () => pick(texts)),
    ...(next() < 0.1 && { replyTo: pick(texts), expiration: "5", userId: pick(texts), clusterId: pick(texts) }),
    ...maybe("messageId", () => pick(texts)),
    ...maybe("timestamp", () => below(2 ** 50)),
    ...maybe("type", () => pick(texts)),
    ...maybe("appId", () => pick(texts))
  }
}

const delivery = (
  channel: number,
  deliveryTag: number,
  frameMax = 4096,
  body = Buffer.alloc(pick(sizes), 65)
): Buffer =>
  framesOf(
    defs.BasicDeliver,
    channel,
    { consumerTag: "c", deliveryTag, redelivered: next() < 0.3, exchange: pick(texts), routingKey: pick(texts) },
    propertiesOf(),
    body,
    frameMax
  )

/** A message without the size of its headers, which amqplib does not say. */
type Seen = Omit<ReceivedMessage.ReceivedMessage, "headerBytes">
const seenOf = ({ headerBytes, ...message }: ReceivedMessage.ReceivedMessage): Seen => {
  assert.isAtLeast(headerBytes, 0)
  return message
}

/** Channels that record what amqplib delivers on them. */
const lineOf = () =>
  ReadLine.lineOf((base) => {
    const channel = Object.assign(base, {
      seen: [] as Array<Seen>,
      byAmqplib: 0,
      pending: undefined as undefined | { fields: unknown; properties?: unknown; size: number; body: Array<Buffer> },
      accept: (frame: Frame & { readonly size?: number }): void => {
        if (frame.id === defs.BasicDeliver) channel.pending = { fields: frame.fields, size: -1, body: [] }
        else if (frame.id === defs.BasicProperties && channel.pending !== undefined)
          channel.pending = { ...channel.pending, properties: frame.fields, size: frame.size ?? -1 }
        else if (frame.content !== undefined) channel.pending?.body.push(frame.content)
        const { pending } = channel
        if (pending === undefined || pending.size < 0) return
        const content = Buffer.concat(pending.body)
        if (content.length < pending.size) return
        channel.pending = undefined
        channel.byAmqplib++
        // Assembled as amqplib's own channel does.
        const message = { fields: pending.fields, properties: pending.properties, content } as ConsumeMessage
        channel.seen.push(seenOf(ReceivedMessage.ofAmqplib(message)))
      }
    })
    return channel
  })

const unexpected = (error: unknown): void => assert.fail(String(error))

// The parts of a channel that are used.
const asChannel = (channel: object): Channel => channel as Channel

describe("deliveries from the bytes", () => {
  it("P3, P15: are the same that amqplib reads, in order, over two channels, whole or in pieces", async () => {
    let ours = 0
    let theirs = 0
    for (let round = 0; round < 120; round++) {
      const [mine, amqplibs] = [lineOf(), lineOf()]
      const bytes: Array<Buffer> = []
      for (let tag = 1; tag <= 20; tag++) {
        if (next() < 0.1) bytes.push(Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce])) // a heartbeat
        bytes.push(delivery(1 + below(2), tag, pick([4096, 131_072])))
      }
      const all = Buffer.concat(bytes)
      const pieces =
        all.length > 50_000
          ? () => 3000 + below(50_000)
          : pick([() => 1 + below(7), () => 1 + below(2000), () => 50_000])
      const sides = [mine, amqplibs].map((side) => ({ side, channels: [side.channelOf(1), side.channelOf(2)] }))
      for (const { channels, side } of sides) {
        if (side === mine)
          for (const channel of channels)
            DeliveryParser.consume(asChannel(channel), (m) => channel.seen.push(seenOf(m)), unexpected)
        side.connection.acceptLoop()
        await ReadLine.feed(side.stream, all, pieces)
      }
      const [heard, read] = sides.map(({ channels }) => channels)
      for (const index of [0, 1]) {
        assert.deepStrictEqual(heard?.[index]?.seen, read?.[index]?.seen, `round ${round}, channel ${index + 1}`)
        theirs += heard?.[index]?.byAmqplib ?? 0
        ours += (heard?.[index]?.seen.length ?? 0) - (heard?.[index]?.byAmqplib ?? 0)
      }
      assert.strictEqual(mine.connection.rest.length, 0)
    }
    // Otherwise one side was tested against itself.
    assert.isAbove(ours, 500)
    assert.isAbove(theirs, 100)
  })

  it("P11: a delivery that cannot be taken ends its own consumer, and the connection is read on", async () => {
    const line = lineOf()
    const [bad, good] = [line.channelOf(1), line.channelOf(2)]
    const failures: Array<unknown> = []
    const broken = new Error("broken")
    const breaks = (): never => {
      throw broken
    }
    DeliveryParser.consume(asChannel(bad), breaks, (error) => failures.push(error))
    DeliveryParser.consume(asChannel(good), (message) => good.seen.push(seenOf(message)), unexpected)
    line.connection.acceptLoop()
    const usual = (ch: number, tag: number): Buffer => {
      const fields = { consumerTag: "c", deliveryTag: tag, redelivered: false, exchange: "e", routingKey: "k" }
      return framesOf(defs.BasicDeliver, ch, fields, {}, Buffer.from("{}"), 4096)
    }
    await ReadLine.feed(
      line.stream,
      Buffer.concat([usual(2, 1), usual(1, 1), usual(2, 2), usual(1, 2)]),
      () => 1_000_000
    )
    await ReadLine.feed(line.stream, usual(2, 3), () => 1_000_000)
    assert.deepStrictEqual(failures, [broken, broken])
    assert.deepStrictEqual(
      good.seen.map(({ deliveryTag }) => deliveryTag),
      [1, 2, 3]
    )
    assert.strictEqual(line.connection.rest.length, 0)
  })

  it("C5: deliveries on a closing channel or connection are left to amqplib", async () => {
    const line = lineOf()
    const [channel, other] = [line.channelOf(1), line.channelOf(2)]
    const heard: Array<number> = []
    for (const each of [channel, other])
      DeliveryParser.consume(asChannel(each), ({ deliveryTag }) => heard.push(each.ch * 10 + deliveryTag), unexpected)
    line.connection.acceptLoop()
    const body = Buffer.from("{}")
    const bring = (ch: number, tag: number) =>
      ReadLine.feed(line.stream, delivery(ch, tag, 4096, body), () => 1_000_000)
    await bring(1, 1)
    channel.accept = () => {}
    await bring(1, 2)
    await bring(2, 1)
    // Its number is given to another channel, whose deliveries are not read from the bytes.
    channel.emit("close")
    const successor = line.channelOf(1)
    await bring(1, 3)
    assert.deepStrictEqual(
      successor.seen.map(({ deliveryTag }) => deliveryTag),
      [3]
    )
    line.connection.accept = () => {}
    await bring(2, 2)
    assert.deepStrictEqual(heard, [11, 21])
  })

  it("P9, P15: texts that are not UTF-8 and invalid times are read as something that a copy can carry", async () => {
    const line = lineOf()
    const [ours, amqplibs] = [line.channelOf(1), line.channelOf(2)]
    DeliveryParser.consume(asChannel(ours), (message) => ours.seen.push(seenOf(message)), unexpected)
    line.connection.acceptLoop()
    for (const { ch } of [ours, amqplibs]) {
      const fields = { consumerTag: "c", deliveryTag: 1, redelivered: false, exchange: "e", routingKey: "k" }
      const texts = { messageId: "~".repeat(255), contentType: "~".repeat(86), appId: "é".repeat(127) }
      const frames = framesOf(defs.BasicDeliver, ch, fields, { ...texts, timestamp: 1.7e18 }, Buffer.from("{}"), 4096)
      await ReadLine.feed(
        line.stream,
        Buffer.from(frames.map((byte) => (byte === 0x7e ? 0xff : byte))),
        () => 1_000_000
      )
    }
    for (const { seen } of [ours, amqplibs]) {
      const { appId, contentType, messageId, timestamp } = seen[0]?.properties ?? assert.fail("nothing came")
      assert.strictEqual(timestamp, undefined)
      assert.strictEqual(appId, "é".repeat(127))
      for (const text of [messageId, contentType]) assert.isAtMost(Buffer.byteLength(text ?? ""), 255)
    }
    assert.strictEqual(ours.byAmqplib, 0)
    assert.deepStrictEqual(ours.seen, amqplibs.seen)
  })
})
