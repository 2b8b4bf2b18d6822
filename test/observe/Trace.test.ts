/** The spans of a publish and its handling, and how they are connected. */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { assert, describe, it } from "@effect/vitest"
import { SpanKind } from "@opentelemetry/api"
import {
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler
} from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Option, Schedule, Schema, Tracer } from "effect"
import { Headers, HttpTraceContext } from "effect/http"
import { DeadLetters, Event, EventBus, Reject, Subscriber } from "../../src/index.ts"
import * as Spans from "../../src/observe/Spans.ts"
import * as Trace from "../../src/observe/Trace.ts"
import { TestBus } from "../../src/testing/index.ts"

const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
const publishName = "publish eduflow.events:social.post.created"
const processName = "process eduflow.events:social.post.created:eduflow.sub.social.feed"

/** Fails in its first two attempts: one retry waits in the process, one on the broker. */
const feed = (relation?: "parent" | "link") =>
  Subscriber.layer("social.feed", {
    events: [Posted],
    ...(relation !== undefined && { traceRelation: relation }),
    retry: Schedule.spaced("100 millis").pipe(
      Schedule.concat(Schedule.spaced("2 seconds")),
      Schedule.upTo({ times: 2 })
    ),
    handler: (_, { attempt }) =>
      Effect.withSpan(
        Effect.suspend(() => (attempt < 3 ? Effect.die(new Error("once more")) : Effect.void)),
        "render"
      )
  })

const scene = Effect.gen(function* () {
  yield* Effect.withSpan(
    Effect.flatMap(EventBus, (bus) => bus.publish(Posted, { text: "hello" }, { correlationId: "c-1" })),
    "request"
  )
  yield* (yield* TestBus).settle
})

const traced = <A, E, R>(
  subscribers: Layer.Layer<A, E, R>,
  options: { readonly bus?: EventBus.Options; readonly sampler?: Sampler } = {}
) => {
  const exporter = new InMemorySpanExporter()
  const Otel = NodeSdk.layer(() => ({
    resource: { serviceName: "test" },
    spanProcessor: new SimpleSpanProcessor(exporter),
    ...(options.sampler !== undefined && { tracerConfig: { sampler: options.sampler } })
  }))
  const layer = subscribers.pipe(
    Layer.provideMerge(TestBus.layerWith({ source: "test", ...options.bus })),
    Layer.provideMerge(Otel)
  )
  return { layer, named: (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name) }
}

const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId
const traceOf = (span: ReadableSpan | undefined) => span?.spanContext().traceId
const linksOf = (span: ReadableSpan | undefined) =>
  span?.links.map(({ attributes, context }) => [attributes?.["eventbus.link"], context.spanId])

describe("Trace", () => {
  it.effect("request, publish, attempts on both sides of the broker, and the handler's own spans are one trace", () => {
    const { layer, named } = traced(feed())
    return Effect.gen(function* () {
      yield* scene
      const [request] = named("request")
      const [publish] = named(publishName)
      const attempts = named(processName)
      assert.strictEqual(publish?.parentSpanContext?.spanId, idOf(request))
      assert.deepStrictEqual(
        attempts.map((span) => [span.parentSpanContext?.spanId, span.attributes["eventbus.attempt"], span.status.code]),
        [
          [idOf(publish), 1, 2],
          [idOf(publish), 2, 2],
          [idOf(publish), 3, 1]
        ]
      )
      // Both in the process and over the broker.
      assert.deepStrictEqual(attempts.map(linksOf), [
        [],
        [["first attempt", idOf(attempts[0])]],
        [["first attempt", idOf(attempts[0])]]
      ])
      assert.deepStrictEqual(
        named("render").map((span) => span.parentSpanContext?.spanId),
        attempts.map(idOf)
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("has the attributes of the conventions for RabbitMQ", () => {
    const { layer, named } = traced(feed())
    return Effect.gen(function* () {
      yield* scene
      const [publish] = named(publishName)
      const [failed] = named(processName)
      const { "messaging.message.id": id, ...sent } = publish?.attributes ?? {}
      assert.deepStrictEqual(sent, {
        "messaging.system": "memory",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "eduflow.events:social.post.created",
        "messaging.rabbitmq.destination.routing_key": "social.post.created",
        "messaging.message.conversation_id": "c-1",
        "eventbus.event": "social.post.created"
      })
      assert.deepStrictEqual(failed?.attributes, {
        "messaging.system": "memory",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "eduflow.events:social.post.created:eduflow.sub.social.feed",
        "messaging.rabbitmq.destination.routing_key": "social.post.created",
        "messaging.consumer.group.name": "social.feed",
        "messaging.message.id": id,
        "messaging.message.conversation_id": "c-1",
        "error.type": "Error",
        "eventbus.event": "social.post.created",
        "eventbus.subscriber": "social.feed",
        "eventbus.attempt": 1
      })
      assert.deepStrictEqual([publish?.kind, failed?.kind], [SpanKind.PRODUCER, SpanKind.CONSUMER])
    }).pipe(Effect.provide(layer))
  })

  for (const [whose, bus, subscriber] of [
    ["bus", "link", undefined],
    ["subscriber", "parent", "link"]
  ] as const) {
    it.effect(`each attempt is a trace of its own with links, if the ${whose} is configured so`, () => {
      const { layer, named } = traced(feed(subscriber), { bus: { traceRelation: bus } })
      return Effect.gen(function* () {
        yield* scene
        const [publish] = named(publishName)
        const attempts = named(processName)
        assert.strictEqual(new Set([publish, ...attempts].map(traceOf)).size, 4)
        const [first] = attempts
        assert.deepStrictEqual(attempts.map(linksOf), [
          [["publish", idOf(publish)]],
          [
            ["publish", idOf(publish)],
            ["first attempt", idOf(first)]
          ],
          [
            ["publish", idOf(publish)],
            ["first attempt", idOf(first)]
          ]
        ])
        assert.deepStrictEqual(named("render").map(traceOf), attempts.map(traceOf))
      }).pipe(Effect.provide(layer))
    })
  }

  it.effect("a replay links to the first attempt before the dead letter", () => {
    const rejecting = Subscriber.layer("social.feed", {
      events: [Posted],
      handler: (_, { replays }) => (replays === 0 ? Effect.fail(new Reject({ reason: "not today" })) : Effect.void)
    })
    const { layer, named } = traced(rejecting)
    return Effect.gen(function* () {
      yield* scene
      yield* (yield* DeadLetters).replay("social.feed")
      yield* (yield* TestBus).settle
      const [first, replayed, ...others] = named(processName)
      assert.strictEqual(others.length, 0)
      assert.strictEqual(traceOf(replayed), traceOf(first))
      assert.deepStrictEqual(linksOf(replayed), [["first attempt", idOf(first)]])
    }).pipe(Effect.provide(layer))
  })

  it.effect("a trace that the sampler drops stays dropped, and one that it keeps is complete", () => {
    const { layer, named } = traced(feed(), {
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.3) })
    })
    return Effect.gen(function* () {
      for (let n = 0; n < 100; n++) yield* Effect.flatMap(EventBus, (bus) => bus.publish(Posted, { text: `${n}` }))
      yield* (yield* TestBus).settle
      const kept = named(publishName).map(traceOf)
      assert.isAbove(kept.length, 5)
      assert.isBelow(kept.length, 70)
      const handled = Map.groupBy(named(processName), traceOf)
      assert.sameMembers([...handled.keys()], kept)
      assert.isTrue([...handled.values()].every((attempts) => attempts.length === 3))
    }).pipe(Effect.provide(layer))
  })

  it.effect("without a tracer there are no spans, and the caller's context is propagated", () => {
    const seen: Array<string | undefined> = []
    const tail = Subscriber.layer("social.tail", {
      events: [Posted],
      handler: () =>
        Effect.map(Effect.serviceOption(Tracer.ParentSpan), (span) => {
          seen.push(Option.getOrUndefined(Option.map(span, ({ spanId }) => spanId)))
        })
    })
    return Effect.gen(function* () {
      const outside = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16) })
      yield* Effect.flatMap(EventBus, (bus) => bus.publish(Posted, { text: "hello" })).pipe(
        Effect.withParentSpan(outside)
      )
      yield* (yield* TestBus).settle
      assert.deepStrictEqual(seen, [outside.spanId])
    }).pipe(Effect.provide(tail.pipe(Layer.provideMerge(TestBus.layer))))
  })

  it("tracestate is propagated, and nothing that is not a valid one", () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`
    const through = (tracestate: unknown) => Trace.inject(Trace.extract({ traceparent, tracestate }))
    assert.deepStrictEqual(through("vendor=1,other=2"), { traceparent, tracestate: "vendor=1,other=2" })
    for (const wrong of ["", 7, "a=\u0000", "x".repeat(513)]) assert.deepStrictEqual(through(wrong), { traceparent })
    for (const wrong of ["", 7, "00-1-2-3", `00-${"0".repeat(32)}-${"b".repeat(16)}-01`])
      assert.isUndefined(Trace.extract({ traceparent: wrong }))
  })

  it("a traceparent of version 00 is parsed exactly as Effect does, whatever it is", () => {
    const id = (letter: string, length: number) => letter.repeat(length)
    const good = [
      `00-${id("a", 32)}-${id("1", 16)}-01`,
      `00-${id("0", 31)}f-${id("0", 15)}1-00`,
      `00-${id("9", 32)}-${id("e", 16)}-ff`
    ]
    const bad = [
      `00-${id("A", 32)}-${id("b", 16)}-01`,
      `00-${id("a", 31)}-${id("b", 16)}-01`,
      `00-${id("a", 32)}-${id("b", 17)}-01`,
      `00-${id("a", 32)}-${id("0", 16)}-01`,
      `00-${id("a", 32)}-${id("b", 16)}-1`,
      `00-${id("a", 32)}-${id("b", 16)}-01-x`,
      `00-${id("a", 32)}-${id("b", 16)}-01\n`,
      " "
    ]
    for (const traceparent of [...good, ...bad]) {
      const theirs = Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromRecordUnsafe({ traceparent })))
      const ours = Trace.parseTraceparent(traceparent)
      const idsOf = (span: typeof ours) => span && [span.traceId, span.spanId, span.sampled]
      assert.deepStrictEqual(idsOf(ours), idsOf(theirs), traceparent)
    }
    assert.isTrue(good.every((one) => Trace.parseTraceparent(one) !== undefined))
    assert.isFalse(bad.some((one) => Trace.parseTraceparent(one) !== undefined))
  })

  it("of a later traceparent the parts of version 00 are read, and none of version ff", () => {
    const ids = `${"a".repeat(32)}-${"b".repeat(16)}`
    const read = (traceparent: unknown) => {
      const span = Trace.extract({ traceparent })
      return span && [span.traceId, span.spanId, span.sampled]
    }
    for (const version of ["01", "0a", "cc", "fe"]) {
      for (const more of ["", "-", "-what-comes-later"]) {
        assert.deepStrictEqual(read(`${version}-${ids}-01${more}`), ["a".repeat(32), "b".repeat(16), true])
        assert.deepStrictEqual(read(`${version}-${ids}-02${more}`)?.[2], false)
      }
      for (const wrong of [
        `${version}-${ids}-01x`,
        `${version}-${ids}-0`,
        `${version}-${ids}-01-\n`,
        `${version}-${"0".repeat(32)}-${"b".repeat(16)}-01-x`,
        `${version}-${"a".repeat(32)}-${"0".repeat(16)}-01`,
        `${version.toUpperCase()}X-${ids}-01`
      ])
        assert.isUndefined(read(wrong), wrong)
    }
    for (const wrong of [`ff-${ids}-01`, `ff-${ids}-01-x`, `00-${ids}-01-x`, `FE-${ids}-01`, `1-${ids}-01`])
      assert.isUndefined(read(wrong), wrong)
  })

  it("trace context in bytes is read as text", () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`
    const headers = { traceparent: Buffer.from(traceparent), tracestate: new Uint8Array(Buffer.from("vendor=1")) }
    assert.deepStrictEqual(Trace.inject(Trace.extract(headers)), { traceparent, tracestate: "vendor=1" })
    assert.isUndefined(Trace.extract({ traceparent: Buffer.from([0xff, 0x00]) }))
  })

  it.effect("P18: a tracer that throws changes nothing", () =>
    Effect.gen(function* () {
      const broken = Tracer.make({
        span: () => {
          throw new Error("tracer")
        }
      })
      const trace = Trace.make(yield* Effect.context<never>().pipe(Effect.provideService(Tracer.Tracer, broken)), {
        system: "memory",
        namespace: "eduflow"
      })
      assert.isTrue(trace.enabled)
      assert.isUndefined(Spans.publisher(trace, "a.b")(undefined, { id: "1", correlationId: undefined }))
    })
  )
})
