/** Calls that are sent at once, against RabbitMQ: they are answered in order, even if one of them fails. */
import { assert, it } from "@effect/vitest"
import { type Channel, connect } from "amqplib"
import { randomUUID } from "node:crypto"
import * as AmqplibInternals from "../../src/amqp/AmqplibInternals.ts"
import { describeLive, rabbitUrl } from "../support/live.ts"

describeLive(
  "pipelined calls on RabbitMQ",
  () => {
    const on = async (use: (channel: Channel, name: string) => Promise<void>): Promise<void> => {
      const connection = await connect(rabbitUrl(), { noDelay: true })
      try {
        const channel = await connection.createChannel()
        channel.on("error", () => {})
        await use(channel, `pipeline-${randomUUID()}`)
      } finally {
        await connection.close()
      }
    }
    const own = { exclusive: true, durable: false }
    const outcome = (answer: Promise<unknown>): Promise<string> =>
      answer.then(
        () => "done",
        (error: unknown) => String(error)
      )

    it("P16: all are sent before the first answer, and answered in order", () =>
      on(async (channel, name) => {
        AmqplibInternals.pipelineCalls(channel)
        let sent = 0
        const { connection } = channel
        const send: unknown = Reflect.get(connection, "sendMethod")
        assert.isFunction(send)
        Reflect.set(connection, "sendMethod", (...args: ReadonlyArray<unknown>) => {
          sent++
          if (typeof send === "function") Reflect.apply(send, connection, args)
        })
        const order: Array<number> = []
        const asked = Array.from({ length: 20 }, async (_, n) => {
          const { queue } = await channel.assertQueue(`${name}.${n}`, own)
          order.push(n)
          return queue
        })
        assert.strictEqual(sent, 20)
        assert.deepStrictEqual(
          await Promise.all(asked),
          asked.map((_, n) => `${name}.${n}`)
        )
        assert.deepStrictEqual(
          order,
          asked.map((_, n) => n)
        )
        // The channel works on as usual.
        assert.strictEqual((await channel.checkQueue(`${name}.3`)).messageCount, 0)
        await channel.close()
      }))

    it("P16: a refused call closes the channel: it fails with the reason, the calls before it are done, the calls after it are not", () =>
      on(async (channel, name) => {
        AmqplibInternals.pipelineCalls(channel)
        const closed = new Promise((resolve) => channel.once("close", resolve))
        const outcomes = await Promise.all(
          [
            channel.assertQueue(`${name}.before`, own),
            channel.assertQueue(`${name}.before`, { ...own, arguments: { "x-message-ttl": 1 } }),
            channel.assertQueue(`${name}.after`, own),
            channel.bindQueue(`${name}.before`, `${name}.nowhere`, "")
          ].map(outcome)
        )
        await closed
        assert.strictEqual(outcomes[0], "done")
        assert.match(outcomes[1] ?? "", /406 \(PRECONDITION-FAILED\).*x-message-ttl/s)
        for (const later of outcomes.slice(2)) assert.match(later, /no reply will be forthcoming/)
        assert.throws(() => Reflect.apply(Reflect.get(channel, "sendOrEnqueue"), channel, []), /closed/)
      }))
  },
  ["rabbit"]
)
