/** With an OpenTelemetry tracer a publish and its handling are one trace; without one there are no spans. */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { assert, describe, it } from "@effect/vitest"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Schedule, Schema } from "effect"
import { Event, EventBus, Subscriber } from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"

const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })

const Feed = Subscriber.layer("social.feed", {
  events: [Posted],
  retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 1 })),
  handler: (_, { attempt }) =>
    Effect.withSpan(
      Effect.suspend(() => (attempt === 1 ? Effect.fail("once") : Effect.void)),
      "render"
    )
})

const scene = Effect.gen(function* () {
  yield* Effect.withSpan(
    Effect.flatMap(EventBus, (bus) => bus.publish(Posted, { text: "hello" })),
    "request"
  )
  yield* (yield* TestBus).settle
})

describe("Trace", () => {
  it.effect("joins request, send, attempts on both sides of the broker, and the handler's own spans", () => {
    const exporter = new InMemorySpanExporter()
    const Otel = NodeSdk.layer(() => ({
      resource: { serviceName: "test" },
      spanProcessor: new SimpleSpanProcessor(exporter)
    }))
    return Effect.gen(function* () {
      yield* scene
      const spans = exporter.getFinishedSpans()
      const named = (name: string) => spans.filter((span) => span.name === name)
      const [request] = named("request")
      const [send] = named("send social.post.created")
      const attempts = named("process social.post.created")
      assert.strictEqual(send?.parentSpanContext?.spanId, request?.spanContext().spanId)
      assert.strictEqual(attempts.length, 2)
      assert.deepStrictEqual(
        attempts.map((span) => [span.parentSpanContext?.spanId, span.attributes["eventbus.attempt"], span.status.code]),
        [
          [send?.spanContext().spanId, 1, 2],
          [send?.spanContext().spanId, 2, 1]
        ]
      )
      assert.deepStrictEqual(
        named("render").map((span) => span.parentSpanContext?.spanId),
        attempts.map((span) => span.spanContext().spanId)
      )
    }).pipe(Effect.provide(Feed.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(Otel))))
  })
})
