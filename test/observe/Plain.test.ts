/** A service with plain OpenTelemetry and its amqplib instrumentation is in the same trace, on either side. */
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import { assert, it } from "@effect/vitest"
import { trace } from "@opentelemetry/api"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import { Deferred, Effect, Layer, Schema } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Event, EventBus } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"

const Ordered = Event.make("shop.order.placed", { version: 1, data: Schema.Struct({ amount: Schema.Int }) })

interface PlainSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parent?: string
  readonly kind: number
  readonly scope: string
}

const plain = (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "plain.ts"), rabbitUrl(), ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const lines: Array<string> = []
  const reader = createInterface({ input: child.stdout }).on("line", (line) => lines.push(line))
  return {
    ready: () => once(reader, "line"),
    spans: async (): Promise<ReadonlyArray<PlainSpan>> => {
      if (child.exitCode === null) await once(child, "close")
      return JSON.parse(lines.at(-1) ?? "[]")
    }
  }
}

describeLive(
  "with plain OpenTelemetry on the other side",
  () => {
    it.live("its publish and our handling are one trace, and so are our publish and its handling", () => {
      const namespace = freshNamespace()
      const exchange = `${namespace}.events`
      const exporter = new InMemorySpanExporter()
      const named = (name: string) => exporter.getFinishedSpans().find((span) => span.name.startsWith(name))
      // As in a service that already runs OpenTelemetry's SDK.
      new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
      return Effect.gen(function* () {
        const handled = yield* Deferred.make<string | undefined>()
        const bus = yield* EventBus
        yield* bus.subscribe("billing.orders", {
          events: [Ordered],
          // The parent of spans that instrumentation would start in the handler.
          handler: () => Effect.suspend(() => Deferred.succeed(handled, trace.getActiveSpan()?.spanContext().spanId))
        })

        const publisher = plain("publish", exchange, Ordered.name, '{"amount":7}')
        const active = yield* Deferred.await(handled)
        const theirs = yield* Effect.promise(publisher.spans)
        const order = theirs.find(({ name }) => name === "order")
        const send = theirs.find(({ scope }) => scope === "@opentelemetry/instrumentation-amqplib")
        const process = named("process ")
        assert.strictEqual(send?.parent, order?.spanId)
        assert.isDefined(send)
        assert.strictEqual(process?.parentSpanContext?.spanId, send?.spanId)
        assert.strictEqual(process?.spanContext().traceId, order?.traceId)
        assert.strictEqual(active, process?.spanContext().spanId)

        const consumer = plain("consume", exchange, Ordered.name)
        yield* Effect.promise(consumer.ready)
        yield* bus.publish(Ordered, { amount: 8 })
        const taken = yield* Effect.promise(consumer.spans)
        const publish = named("publish ")
        const received = taken.find(({ scope }) => scope === "@opentelemetry/instrumentation-amqplib")
        assert.isDefined(received)
        assert.strictEqual(received?.parent, publish?.spanContext().spanId)
        assert.strictEqual(received?.traceId, publish?.spanContext().traceId)
        assert.strictEqual(taken.find(({ name }) => name === "inside")?.parent, received?.spanId)
        // By convention: the destination and the consumer.
        assert.strictEqual(publish?.attributes["messaging.destination.name"], `${exchange}:${Ordered.name}`)
        const { hostname, port } = new URL(rabbitUrl())
        assert.deepStrictEqual(
          [publish?.attributes["server.address"], publish?.attributes["server.port"]],
          [hostname, Number(port)]
        )
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            EventBus.layerAmqp({ url: rabbitUrl(), namespace, source: "test" }),
            OtelTracer.layerGlobal
          )
        )
      )
    })
  },
  ["rabbit"]
)
