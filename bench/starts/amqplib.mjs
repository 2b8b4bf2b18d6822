// amqplib by hand, without Effect.
import { connect } from "amqplib"

const connection = await connect(process.argv[2], { noDelay: true })
const channel = await connection.createConfirmChannel()
await channel.assertExchange("bench.start.raw", "topic", { durable: true })
await channel.assertQueue("bench.start.raw", { durable: true, arguments: { "x-queue-type": "quorum" } })
await channel.bindQueue("bench.start.raw", "bench.start.raw", "bench.start.posted")
await channel.prefetch(250)
await channel.consume("bench.start.raw", (delivery) => {
  JSON.parse(delivery.content.toString())
  channel.ack(delivery)
  process.send("first")
})
channel.publish("bench.start.raw", "bench.start.posted", Buffer.from(JSON.stringify({ text: "hello" })), {
  persistent: true,
  mandatory: true
})
await channel.waitForConfirms()
