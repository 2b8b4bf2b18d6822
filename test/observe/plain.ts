/**
 * A service without this library: plain amqplib, plain OpenTelemetry and its instrumentation. It publishes or receives
 * one event, then prints its spans as one line of JSON.
 *
 *     node plain.ts <url> publish <exchange> <event> <body>
 *     node plain.ts <url> consume <exchange> <event>
 */
import { trace } from "@opentelemetry/api"
import { registerInstrumentations } from "@opentelemetry/instrumentation"
import { AmqplibInstrumentation } from "@opentelemetry/instrumentation-amqplib"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import type * as Amqplib from "amqplib"
import { createRequire } from "node:module"

const exporter = new InMemorySpanExporter()
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
registerInstrumentations({ instrumentations: [new AmqplibInstrumentation()] })
// Instrumentation patches only modules that are loaded after it.
const { connect }: typeof Amqplib = createRequire(import.meta.url)("amqplib")

const [url = "", mode = "", exchange = "", event = "", body = ""] = process.argv.slice(2)
const connection = await connect(url)
const channel = await connection.createConfirmChannel()

if (mode === "publish") {
  await trace.getTracer("plain").startActiveSpan("order", async (span) => {
    channel.publish(exchange, event, Buffer.from(body), { type: event, contentType: "application/json" })
    await channel.waitForConfirms()
    span.end()
  })
} else {
  const { queue } = await channel.assertQueue("", { exclusive: true })
  await channel.bindQueue(queue, exchange, event)
  const taken = new Promise<void>((resolve) => {
    void channel
      .consume(queue, (message) => {
        if (message === null) return
        trace.getTracer("plain").startSpan("inside").end()
        channel.ack(message)
        resolve()
      })
      .then(() => process.stdout.write("ready\n"))
  })
  await taken
}
await channel.close()
await connection.close()
process.stdout.write(
  `${JSON.stringify(
    exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
      kind: span.kind,
      scope: span.instrumentationScope.name
    }))
  )}\n`
)
