/** A process that answers: this library, or amqplib by hand on the same kind of queue. Says "ready" when it does. */
import { connect } from "amqplib"
import { Effect, Layer } from "effect"
import { EventBus, Subscriber } from "../../src/index.ts"
import { Ask, byHandQueue, namespace } from "./contract.ts"

const [entry = "ours", url = ""] = process.argv.slice(2)

if (entry === "ours") {
  await Effect.runPromise(
    Layer.build(
      Layer.provide(
        Subscriber.reply("bench.answers", {
          to: Ask,
          concurrency: 250,
          prefetch: 250,
          handler: ({ data }) => Effect.succeed({ n: data.n })
        }),
        EventBus.layerAmqp({ url, namespace })
      )
    ).pipe(Effect.andThen(Effect.sync(() => process.send?.("ready"))), Effect.andThen(Effect.never), Effect.scoped)
  )
} else {
  const connection = await connect(url, { noDelay: true })
  const channel = await connection.createChannel()
  await channel.assertQueue(byHandQueue, { durable: true, arguments: { "x-queue-type": "quorum" } })
  await channel.prefetch(250)
  await channel.consume(byHandQueue, (message) => {
    if (message === null) return
    const { n } = JSON.parse(message.content.toString()) as { readonly n: number }
    const { correlationId, replyTo } = message.properties as { correlationId: string; replyTo: string }
    channel.sendToQueue(replyTo, Buffer.from(JSON.stringify({ n })), { correlationId })
    channel.ack(message)
  })
  process.send?.("ready")
}
