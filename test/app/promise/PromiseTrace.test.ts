/** The trace of a Promise handler, with the tracer of the OpenTelemetry SDK: what it publishes belongs to the span of its own attempt. */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, ManagedRuntime } from "effect"
import { afterAll, assert, it } from "vitest"
import { EventBus } from "../../../src/index.ts"
import * as PromisePublish from "../../../src/app/promise/PromisePublish.ts"
import * as PromiseRun from "../../../src/app/promise/PromiseRun.ts"
import * as PromiseSubscribe from "../../../src/app/promise/PromiseSubscribe.ts"
import { Counted, Echoed, numbers, sleep, until } from "./PromiseTools.ts"

const exporter = new InMemorySpanExporter()
const runtime = ManagedRuntime.make(
  EventBus.layerMemory({ source: "promise" }).pipe(
    Layer.provide(
      NodeSdk.layer(() => ({
        resource: { serviceName: "promise" },
        spanProcessor: new SimpleSpanProcessor(exporter)
      }))
    )
  )
)
afterAll(() => runtime.dispose())

const count = 20
/** How often each handler publishes. */
const publishes = 7

const idOf = (span: ReadableSpan): string => span.spanContext().spanId
const traceOf = (span: ReadableSpan): string => span.spanContext().traceId
const spansOf = (operation: "publish" | "process", { name: event }: { readonly name: string }) =>
  exporter.getFinishedSpans().filter(({ name }) => name.startsWith(operation) && name.split(":")[1] === event)

it("publishes in concurrent handlers continue the span of their own attempt, after awaits and timers too", async () => {
  const promises = PromiseRun.make(await runtime.context())
  const bus = { ...PromisePublish.make(promises), ...PromiseSubscribe.make(promises) }
  let handled = 0
  await bus.subscribe("promise.traced", {
    events: [Counted],
    concurrency: count,
    handler: async ({ data: { n } }) => {
      const echo = () => bus.publish(Echoed, { n })
      await echo()
      await sleep(n % 5)
      await echo()
      await new Promise<void>((resolve, reject) => {
        setTimeout(() => void echo().then(() => resolve(), reject), n % 3)
      })
      await Promise.all([echo(), Promise.resolve().then(echo)])
      await bus.publishAll(Echoed, [{ n }])
      return Effect.andThen(
        Effect.sleep(n % 2),
        Effect.flatMap(EventBus, ({ publish }) => publish(Echoed, { n }))
      )
    }
  })
  await bus.subscribe("promise.echoed", { events: [Echoed], handler: () => void handled++ })
  await Promise.all(numbers(1, count).map((n) => bus.publish(Counted, { id: `${n}`, n })))
  await until(() => handled === count * publishes)
  await bus.closeAll()

  const origins = spansOf("publish", Counted)
  const attempts = spansOf("process", Counted)
  const echoes = spansOf("publish", Echoed)
  const ends = spansOf("process", Echoed)
  assert.deepStrictEqual(
    [origins, attempts, echoes, ends].map(({ length }) => length),
    [count, count, count * publishes, count * publishes],
    [...new Set(exporter.getFinishedSpans().map(({ name }) => name))].join(", ")
  )
  assert.strictEqual(new Set(origins.map(traceOf)).size, count)
  for (const attempt of attempts) {
    const origin = origins.find((span) => traceOf(span) === traceOf(attempt))
    assert.strictEqual(attempt.parentSpanContext?.spanId, origin && idOf(origin))
    const own = echoes.filter((span) => span.parentSpanContext?.spanId === idOf(attempt))
    assert.strictEqual(own.length, publishes)
    assert.deepStrictEqual(new Set(own.map(traceOf)), new Set([traceOf(attempt)]))
    for (const echo of own)
      assert.strictEqual(ends.filter((span) => span.parentSpanContext?.spanId === idOf(echo)).length, 1)
  }
})
