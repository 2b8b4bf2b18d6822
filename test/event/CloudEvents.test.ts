/** The official CloudEvents SDK and this library understand each other, in both directions. */
import { assert, describe, it } from "@effect/vitest"
import { CloudEvent, HTTP } from "cloudevents"
import { Arbitrary, Effect, Schema } from "effect"
import { catalog } from "../../src/catalog/index.ts"
import * as WireFormat from "../../src/event/WireFormat.ts"
import * as Event from "../../src/event/Event.ts"
import * as Limits from "../../src/event/Limits.ts"
import { bodyOf, dataOf, head, json, parse, succeed } from "./support.ts"

const receive = (body: string): CloudEvent<unknown> => {
  const event = HTTP.toEvent<unknown>({ headers: { "content-type": WireFormat.contentType }, body })
  if (Array.isArray(event) || !(event instanceof CloudEvent)) throw new Error("expected one event")
  return event
}

const structured = (event: CloudEvent<unknown>): string => {
  const { body } = HTTP.structured(event)
  if (typeof body !== "string") throw new Error("expected text")
  return body
}

const text = (most: number) => Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(most))
const heads = Schema.Struct({
  key: Schema.UndefinedOr(text(80)),
  correlationId: Schema.UndefinedOr(text(80)),
  causationId: Schema.UndefinedOr(text(80)),
  actor: Schema.UndefinedOr(
    Schema.Struct({
      id: text(80),
      role: Schema.String.check(Schema.isMaxLength(80)),
      status: Schema.optionalKey(text(80))
    })
  )
})

describe("the SDK accepts events that we publish", () => {
  describe.each(catalog.events.map((event) => ({ name: event.name as string, event })))("$name", ({ event }) => {
    it.effect.prop(
      "strictly, as a body and as an object",
      [dataOf(event), heads],
      ([data, more]) =>
        Effect.sync(() => {
          const body = bodyOf(event, data, { ...more, key: event.keyOf(data) })
          const received = receive(body)
          assert.isTrue(received.validate())
          assert.strictEqual(received.type, event.name)
          assert.strictEqual(received.subject, event.keyOf(data))
          assert.strictEqual(received.dataschema, `urn:event:${event.name}:${event.version}`)
          assert.strictEqual(received["actor"], more.actor?.id)
          assert.deepStrictEqual(received.data, JSON.parse(JSON.stringify(succeed(event.dataCodec.encode(data)))))
          assert.isTrue(new CloudEvent(JSON.parse(body)).validate())
          // What the SDK would send on is the same event to us.
          assert.deepStrictEqual(succeed(parse(structured(received))), succeed(parse(body)))
        }),
      { arbitrary: { runs: 50 } }
    )
  })

  it.prop(
    "with any texts in the attributes",
    [heads, json],
    ([more, data]) => {
      const Any = Event.make("a.any", { version: 1, data: Schema.Json })
      const body = WireFormat.encoder(Any, "grade-service")(head(more), data)
      const received = receive(body)
      assert.isTrue(received.validate())
      assert.deepStrictEqual(
        [
          received.subject,
          received["correlationid"],
          received["causationid"],
          received["actor"],
          received["actorrole"],
          received["actorstatus"]
        ],
        [more.key, more.correlationId, more.causationId, more.actor?.id, more.actor?.role, more.actor?.status]
      )
    },
    { arbitrary: { runs: 500 } }
  )

  it("only from sources that are URI references", () => {
    const event = Event.make("a.any", { version: 1, data: Schema.Json })
    const accepts = (source: string): boolean => {
      try {
        return receive(bodyOf(event, 1, {}, source)).validate()
      } catch {
        return false
      }
    }
    for (const good of [
      "grade-service",
      "/eduflow/grades",
      "urn:eduflow:grades",
      "https://eduflow.example/grades",
      "a_b.c~1"
    ])
      assert.isTrue(accepts(good), good)
    for (const bad of ["", "grade service", "größe", "a b"]) assert.isFalse(accepts(bad), bad)
  })
})

const own = [
  "id",
  "source",
  "type",
  "specversion",
  "time",
  "subject",
  "data",
  "datacontenttype",
  "datacontentencoding",
  "dataschema",
  "schemaurl",
  "actor",
  "actorrole",
  "actorstatus",
  "correlationid",
  "causationid"
]
const extensionName = Schema.String.check(
  Schema.isPattern(/^[a-z0-9]{1,20}$/u),
  Schema.makeFilter((name) => !own.includes(name))
)
const extensionValue = Schema.Union([Schema.String, Schema.Int, Schema.Boolean])
const foreign = Schema.Struct({
  id: Schema.optionalKey(text(80)),
  source: Schema.Literals([
    "/x",
    "https://example.org/a?b=c#d",
    "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
    "x",
    "mailto:a@b.de",
    "%C3%A9"
  ]),
  type: Schema.Literals(["a.b", "academic.grade.posted", "x"]),
  time: Schema.optionalKey(
    Schema.Literals(["2026-09-07T08:00:00Z", "2026-09-07T08:00:00.123+05:30", "1985-04-12T23:20:50.52Z"])
  ),
  subject: Schema.optionalKey(text(80)),
  datacontenttype: Schema.optionalKey(Schema.Literals(["application/json", "text/plain", "application/xml"])),
  dataschema: Schema.optionalKey(
    Schema.Literals(["https://example.org/schema.json", "urn:isbn:0451450523", "tag:example.org,2026:x"])
  ),
  correlationid: Schema.optionalKey(text(80)),
  actor: Schema.optionalKey(text(80))
})

describe("we accept events that the SDK produces", () => {
  it.prop(
    "with extensions, absent attributes, foreign schemas and any JSON",
    [foreign, Schema.Record(extensionName, extensionValue), Arbitrary.all([json, Arbitrary.schema(Schema.Boolean)])],
    ([attributes, extensions, [value, present]]) => {
      const data = present ? value : undefined
      const sent = new CloudEvent<unknown>({ ...extensions, ...attributes, ...(data !== undefined && { data }) })
      const body = structured(sent)
      const parsed = succeed(parse(body))
      assert.strictEqual(parsed.id, sent.id)
      assert.strictEqual(parsed.source, attributes.source)
      assert.strictEqual(parsed.type, attributes.type)
      assert.strictEqual(parsed.key, attributes.subject)
      assert.strictEqual(parsed.correlationId, attributes.correlationid)
      assert.strictEqual(parsed.actor?.id, attributes.actor)
      assert.isUndefined(parsed.version)
      assert.strictEqual(parsed.time.getTime(), new Date(sent.time ?? "").getTime())
      assert.deepStrictEqual(parsed.json, data === undefined ? undefined : JSON.parse(JSON.stringify(data)))
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop("with binary data", [Schema.Uint8Array.check(Schema.isMinLength(1))], ([bytes]) => {
    const Bytes = Event.make("a.bytes", { version: 1, data: Schema.Uint8Array })
    const body = structured(new CloudEvent<unknown>({ source: "x", type: "a.bytes", data: bytes }))
    assert.include(body, "data_base64")
    assert.deepStrictEqual(succeed(WireFormat.decode(succeed(parse(body)), Bytes)).data, bytes)
  })

  it.effect("with data of the catalog, which its contract then decodes", () =>
    Effect.gen(function* () {
      for (const event of catalog.events) {
        for (const data of yield* Arbitrary.sampleEffect(dataOf(event), { count: 10, seed: event.name })) {
          const sent = new CloudEvent<unknown>({
            source: "/other",
            type: event.name,
            data: succeed(event.dataCodec.encode(data))
          })
          const envelope = succeed(WireFormat.decode(succeed(parse(structured(sent))), event))
          assert.strictEqual(envelope.version, event.version)
          assert.strictEqual(JSON.stringify(succeed(event.dataCodec.encode(envelope.data))), JSON.stringify(sent.data))
        }
      }
    })
  )

  it("a subject and a source of 64 KiB, which CloudEvents asks of consumers", () => {
    const long = "x".repeat(64 * 1024)
    for (let round = 0; round < 2; round++) {
      const event = succeed(parse(structured(new CloudEvent<unknown>({ source: long, type: "a.b", subject: long }))))
      assert.deepStrictEqual([event.source, event.key], [long, long])
    }
  })

  it("but not an attribute of ours with another type, nor a longer one: they would be used as headers and keys", () => {
    const body = (more: Record<string, unknown>) =>
      structured(new CloudEvent<unknown>({ source: "x", type: "a.b", ...more }))
    for (const more of [
      { correlationid: 7 },
      { actor: true },
      { subject: "x".repeat(65_537) },
      { source: "x".repeat(65_537) },
      { id: "x".repeat(256) }
    ]) {
      assert.throws(() => succeed(parse(body(more))), /expected a string/)
    }
  })

  it("one that is refused still says its id, in the body or in the headers", () => {
    const id = (body: string | Buffer, headers = {}) => WireFormat.claimedId(body, Limits.defaults, headers)
    const refused = '{"specversion":"1.0","id":"e-7","source":"/s","type":"a.b","time":"2026-02-30T00:00:00Z"}'
    assert.throws(() => succeed(parse(refused)), /RFC 3339/)
    assert.strictEqual(id(refused), "e-7")
    assert.strictEqual(id('{"specversion":"1.0","id":"e-8","data":9007199254740993}'), "e-8")
    assert.strictEqual(id("no json", { "cloudEvents:specversion": "1.0", "cloudEvents:id": "e-9" }), "e-9")
    for (const none of ['{"id":"an order"}', '{"specversion":"1.0","id":7}', '{"specversion":"1.0","id":""}', "[", ""])
      assert.isUndefined(id(none), none)
    assert.isUndefined(id(`{"specversion":"1.0","id":"${"x".repeat(256)}"}`))
    assert.isUndefined(id(`{"specversion":"1.0","id":"deep","data":${"[".repeat(99_999)}${"]".repeat(99_999)}}`))
  })
})
