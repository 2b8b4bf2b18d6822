/** Confirms read from the bytes of a connection: the same that amqplib reads, in the same order, however they arrive. */
import { assert, describe, it } from "@effect/vitest"
import type { ConfirmChannel } from "amqplib"
import * as ConfirmParser from "../../../src/amqp/publishing/ConfirmParser.ts"
import { fromSeed } from "../../support/RandomSource.ts"
import { defs, type Frame, framesOf } from "../setup/AmqplibReference.ts"
import * as ReadLine from "../setup/ReadLine.ts"

const { below, next, pick } = fromSeed(20270219)

const confirm = (channel: number, deliveryTag: number): Buffer =>
  Buffer.from(
    defs.encodeMethod(next() < 0.8 ? defs.BasicAck : defs.BasicNack, channel, { deliveryTag, multiple: next() < 0.4 })
  )

const returned = (channel: number): Buffer =>
  framesOf(
    defs.BasicReturn,
    channel,
    { replyCode: 312, replyText: "NO_ROUTE", exchange: "e", routingKey: "k" },
    { messageId: "m" },
    Buffer.alloc(below(200), 65),
    4096
  )

/** Channels that emit what amqplib reads on them. */
const lineOf = () =>
  ReadLine.lineOf((base) => {
    const channel = Object.assign(base, {
      seen: [] as Array<string>,
      byAmqplib: 0,
      accept: (frame: Frame): void => {
        if (frame.id === defs.BasicReturn) channel.seen.push("return")
        if (frame.id !== defs.BasicAck && frame.id !== defs.BasicNack) return
        channel.byAmqplib++
        channel.emit(frame.id === defs.BasicAck ? "ack" : "nack", frame.fields)
      }
    })
    return channel
  })

type Line = ReturnType<typeof lineOf>
type Channel = ReturnType<Line["channelOf"]>

const saw =
  (channel: Channel, kind: string): ConfirmParser.Settle =>
  ({ deliveryTag, multiple }) =>
    void channel.seen.push(`${kind} ${deliveryTag} ${multiple}`)

/** By this library, or by amqplib alone. */
const listen = (channel: Channel, isOurs: boolean): void => {
  // The parts of a channel that are used.
  if (isOurs) ConfirmParser.read(channel as unknown as ConfirmChannel, saw(channel, "ack"), saw(channel, "nack"))
  else channel.on("ack", saw(channel, "ack")).on("nack", saw(channel, "nack"))
}

describe("confirms from the bytes", () => {
  it("P2: are the same that amqplib reads, in order with returns, over two channels, whole or in pieces", async () => {
    let ours = 0
    for (let round = 0; round < 120; round++) {
      const bytes = Buffer.concat(
        Array.from({ length: 60 }, (_, index) => {
          const kind = next()
          if (kind < 0.05) return Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]) // a heartbeat
          return kind < 0.2 ? returned(1 + below(2)) : confirm(1 + below(2), pick([index + 1, 2 ** 40 + index]))
        })
      )
      const pieces = pick([() => 1 + below(7), () => 1 + below(300), () => 50_000])
      const sides = [true, false].map((isOurs) => {
        const line = lineOf()
        const channels = [line.channelOf(1), line.channelOf(2)]
        for (const channel of channels) listen(channel, isOurs)
        return { line, channels }
      })
      for (const { line } of sides) {
        line.connection.acceptLoop()
        await ReadLine.feed(line.stream, bytes, pieces)
      }
      const [mine, amqplibs] = sides.map(({ channels }) => channels.map(({ seen }) => seen))
      assert.deepStrictEqual(mine, amqplibs, `round ${round}`)
      for (const { byAmqplib, seen } of sides[0]?.channels ?? [])
        ours += seen.filter((one) => one !== "return").length - byAmqplib
    }
    // Otherwise amqplib was tested against itself.
    assert.isAbove(ours, 2000)
  })

  it("C5: confirms on a closing or closed channel are left to amqplib", async () => {
    const line = lineOf()
    const [channel, other] = [line.channelOf(1), line.channelOf(2)]
    listen(channel, true)
    listen(other, true)
    line.connection.acceptLoop()
    await ReadLine.feed(line.stream, confirm(1, 1), () => 50_000)
    const ignored: Array<number> = []
    channel.accept = ({ fields }) => void ignored.push(Number(fields?.["deliveryTag"]))
    await ReadLine.feed(line.stream, Buffer.concat([confirm(1, 2), confirm(2, 1)]), () => 50_000)
    other.emit("close")
    await ReadLine.feed(line.stream, confirm(2, 2), () => 50_000)
    assert.strictEqual(channel.seen.length, 1)
    assert.deepStrictEqual(ignored, [2])
    assert.deepStrictEqual([other.byAmqplib, other.seen.length], [1, 2])
  })
})
