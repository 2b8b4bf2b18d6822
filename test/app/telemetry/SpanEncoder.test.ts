/** Our encoder makes the same bytes as Effect's own, for any spans. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Schema } from "effect"
import { type OtlpResource, OtlpSerialization, type OtlpTracer } from "effect/observability"
import * as SpanEncoder from "../../../src/app/telemetry/SpanEncoder.ts"
import { Telemetry } from "../../../src/index.ts"
import { startCollector } from "./Collector.ts"

type Data = OtlpTracer.TraceData
type ResourceSpans = Data["resourceSpans"][number]
type ScopeSpans = ResourceSpans["scopeSpans"][number]
type Span = ScopeSpans["spans"][number]

const effects = Effect.runSync(
  Effect.scoped(
    Effect.map(Layer.build(OtlpSerialization.layerProtobuf), (context) =>
      Context.get(context, OtlpSerialization.OtlpSerialization)
    )
  )
)
const traces = SpanEncoder.traces()

/** Twice, because the second call finds the buffer as the first one left it. */
const same = (data: Data): void => {
  const wanted = effects.traces(data)
  for (const written of [traces(data), traces(data)]) {
    assert(wanted._tag === "Uint8Array" && written._tag === "Uint8Array")
    assert.deepStrictEqual([written.contentType, written.contentLength], [wanted.contentType, wanted.contentLength])
    const [ours, theirs] = [Buffer.from(written.body), Buffer.from(wanted.body)]
    if (!ours.equals(theirs)) assert.strictEqual(ours.toString("hex"), theirs.toString("hex"))
  }
}

/** Every field of a type, so that a field which Effect adds is noticed. */
type Fields<A> = { readonly [K in keyof Required<A>]: Schema.Top }

const list = <S extends Schema.Top>(item: S) => Schema.mutable(Schema.Array(item).check(Schema.isMaxLength(3)))
const long = "0123456789abcdef".repeat(1024)
const Text = Schema.Union([
  Schema.String,
  Schema.Literals(["", "a", "\u007f", "\u0080", "é", "€uro", "😀", "\ud83d", "x\ude00y", "\ude00\ud83d", "\0"]),
  Schema.Literals([63, 64, 65, 127, 128, 16_383, 16_384].map((length) => long.slice(0, length))),
  Schema.Literals([62, 63, 126, 127].map((length) => `${long.slice(0, length)}é`))
])
/** UTF-16 code units; half of the alternatives are surrogates. */
const Unit = Schema.Union([
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0x7f })),
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff })),
  Schema.Int.check(Schema.isBetween({ minimum: 0xd800, maximum: 0xdbff })),
  Schema.Int.check(Schema.isBetween({ minimum: 0xdc00, maximum: 0xdfff }))
])
const Count = Schema.Literals([0, 1, 127, 128, 300, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])
const Id = Schema.Literals(["0af7651916cd43dd8448eb211c80319c", "B7AD6B7169203331", "00", "", "abc", "zz-1+f 1é€"])
const Nanos = Schema.Literals(["0", "1", "1790000000123456789", "18446744073709551615", "18446744073709551616", "-1"])

const Numbers = Schema.Literals([0, 1, 127, 128, -1, -(2 ** 31), 2 ** 31, 2 ** 53, 2 ** 63, Number.MIN_SAFE_INTEGER])
const Digits = Schema.Literals([
  "0",
  "-0",
  "42",
  "-42",
  "9007199254740993",
  "9223372036854775807",
  `${2n ** 100n}`,
  `${-(2n ** 63n)}`
])
const AnyValue: Schema.Codec<OtlpResource.AnyValue> = Schema.suspend(() => {
  const kinds = {
    stringValue: Text,
    boolValue: Schema.Boolean,
    intValue: Schema.Union([Numbers, Digits, Schema.Int]),
    // @effect-diagnostics-next-line schemaNumber:off
    doubleValue: Schema.Number,
    arrayValue: Schema.Struct({ values: list(AnyValue) }),
    kvlistValue: Schema.Struct({ values: list(KeyValue) }),
    bytesValue: Schema.Uint8Array
  } satisfies Fields<OtlpResource.AnyValue>
  const { arrayValue, boolValue, bytesValue, doubleValue, intValue, kvlistValue, stringValue } = kinds
  return Schema.Union([
    Schema.Struct({ stringValue }),
    Schema.Struct({ boolValue }),
    Schema.Struct({ intValue }),
    Schema.Struct({ doubleValue }),
    Schema.Struct({ arrayValue }),
    Schema.Struct({ kvlistValue }),
    Schema.Struct({ bytesValue }),
    Schema.Struct({}),
    // None, or several, of which the first one counts.
    Schema.Struct({
      stringValue: Schema.optionalKey(Schema.NullOr(stringValue)),
      boolValue: Schema.optionalKey(Schema.NullOr(boolValue)),
      intValue: Schema.optionalKey(Schema.NullOr(intValue)),
      doubleValue: Schema.optionalKey(Schema.NullOr(doubleValue)),
      bytesValue: Schema.optionalKey(bytesValue)
    })
  ])
})
const KeyValue = Schema.Struct({ key: Text, value: AnyValue } satisfies Fields<OtlpResource.KeyValue>)
const attributes = list(KeyValue)

const SpanEvent = Schema.Struct({
  attributes,
  name: Text,
  timeUnixNano: Nanos,
  droppedAttributesCount: Count
} satisfies Fields<Span["events"][number]>)
const SpanLink = Schema.Struct({
  attributes,
  spanId: Id,
  traceId: Id,
  droppedAttributesCount: Count
} satisfies Fields<Span["links"][number]>)
const Status = Schema.Struct({
  code: Schema.Literals([0, 1, 2]),
  message: Schema.optionalKey(Text)
} satisfies Fields<Span["status"]>)
const OneSpan = Schema.Struct({
  traceId: Id,
  spanId: Id,
  parentSpanId: Schema.UndefinedOr(Id),
  name: Text,
  kind: Schema.Literals([0, 1, 2, 3, 4, 5]),
  startTimeUnixNano: Nanos,
  endTimeUnixNano: Nanos,
  attributes,
  droppedAttributesCount: Count,
  events: list(SpanEvent),
  droppedEventsCount: Count,
  status: Status,
  links: list(SpanLink),
  droppedLinksCount: Count
} satisfies Fields<Span>)
const Scope = Schema.Struct({
  name: Text,
  version: Schema.optionalKey(Text)
} satisfies Fields<ScopeSpans["scope"]>)
const OneScope = Schema.Struct({
  scope: Scope,
  spans: list(OneSpan),
  schemaUrl: Schema.optional(Text)
} satisfies Fields<ScopeSpans>)
const Resource = Schema.Struct({
  attributes,
  droppedAttributesCount: Count
} satisfies Fields<OtlpResource.Resource>)
const OneResource = Schema.Struct({
  resource: Resource,
  scopeSpans: list(OneScope),
  schemaUrl: Schema.optional(Text)
} satisfies Fields<ResourceSpans>)
const Traces = Schema.Struct({ resourceSpans: list(OneResource) } satisfies Fields<Data>)

const dataOf = (...spans: Array<Span>): Data => ({
  resourceSpans: [
    { resource: { attributes: [], droppedAttributesCount: 0 }, scopeSpans: [{ scope: { name: "test" }, spans }] }
  ]
})
const spanOf = (name: string, attributes: Span["attributes"] = []): Span => ({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  parentSpanId: undefined,
  name,
  kind: 1,
  startTimeUnixNano: "1790000000123456789",
  endTimeUnixNano: "1790000000123456790",
  attributes,
  droppedAttributesCount: 0,
  events: [],
  droppedEventsCount: 0,
  status: { code: 0 },
  links: [],
  droppedLinksCount: 0
})

describe("SpanEncoder", () => {
  it.prop("any spans", { data: Traces }, ({ data }) => same(data), { arbitrary: { runs: 300 } })

  it.prop(
    "any value",
    { values: list(AnyValue) },
    ({ values }) =>
      same(
        dataOf(
          spanOf(
            "values",
            values.map((value, i) => ({ key: `${i}`, value }))
          )
        )
      ),
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "any text, also if it is not well formed",
    { units: Schema.Array(Unit) },
    ({ units }) => {
      const text = String.fromCharCode(...units)
      same(dataOf(spanOf(text, [{ key: text, value: { stringValue: text } }])))
    },
    { arbitrary: { runs: 1000, size: 100 } }
  )

  it("texts of every length around those where the length prefix grows by a byte", () => {
    for (const end of ["", "é", "\ud800"])
      for (const length of [...Array(140).keys(), 16_382, 16_383, 16_384, 2_097_151, 2_097_152])
        same(dataOf(spanOf("x".repeat(length) + end)))
  })

  it("batches that outgrow the buffer at any position", () => {
    const values: ReadonlyArray<OtlpResource.AnyValue> = [
      { stringValue: "é".repeat(40) },
      { boolValue: true },
      { intValue: -1 },
      { intValue: `${2n ** 100n}` },
      { doubleValue: 0.5 },
      { bytesValue: new Uint8Array(40).fill(7) },
      { arrayValue: { values: [{}, {}, { kvlistValue: { values: [] } }] } }
    ]
    const attributes = values.map((value, i) => ({ key: `attribute ${i}`, value }))
    const dropped = { attributes, droppedAttributesCount: 2 ** 40 }
    const full: Span = {
      ...spanOf("full", attributes),
      parentSpanId: "b7ad6b7169203332",
      events: [{ ...dropped, name: "event", timeUnixNano: "1" }],
      links: [{ ...dropped, traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }],
      status: { code: 2, message: "broken" }
    }
    const data = dataOf(full)
    const wanted = effects.traces(data)
    assert(wanted._tag === "Uint8Array")
    for (let size = 0; size <= wanted.contentLength; size++)
      assert.isTrue(Buffer.from(SpanEncoder.make(size)(data)).equals(wanted.body), `${size}`)
    same(dataOf(spanOf("huge", [{ key: "bytes", value: { bytesValue: new Uint8Array(3_000_000).fill(1) } }])))
    same(dataOf(spanOf("after it")))
  })

  it("a key that is not a string, from untyped code", () => {
    // The types forbid it, so a cast is needed.
    const key = 42 as unknown as string
    same(dataOf(spanOf("keys", [{ key, value: { intValue: 1 } }])))
  })

  it("a result does not change when the encoder is used again", () => {
    const write = SpanEncoder.make()
    const first = write(dataOf(spanOf("first")))
    const kept = Buffer.from(first)
    write(dataOf(spanOf("other")))
    assert.isTrue(kept.equals(first))
    assert.strictEqual(first.buffer.byteLength, first.length)
  })

  it.live("a collector receives protobuf by default", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* Effect.acquireRelease(
        Effect.promise(() => startCollector()),
        ({ stop }) => Effect.promise(stop)
      )
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" }
      yield* Effect.void.pipe(
        Effect.withSpan("farewell", { attributes: { to: "Zoë" } }),
        Effect.provide(
          Telemetry.layer({ logs: "none" }).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))))
        )
      )
      assert.deepStrictEqual(
        requests.map(({ headers, path }) => [path, headers["content-type"]]),
        [["/v1/traces", "application/x-protobuf"]]
      )
      for (const word of ["service.name", "farewell", "to", "Zoë"])
        assert.isTrue(requests[0]?.protobuf?.includes(word), word)
    }).pipe(Effect.scoped)
  )
})
