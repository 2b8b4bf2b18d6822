/** CloudEvents in binary mode, told from structured ones and from plain JSON. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Event from "../../src/event/Event.ts"
import * as Limits from "../../src/event/Limits.ts"
import * as WireFormat from "../../src/event/WireFormat.ts"
import { failure, head, json, parse, succeed } from "./support.ts"

const Opened = Event.make("door.opened", { version: 1, data: Schema.Struct({ door: Schema.Finite }) })
const hints = { type: "door.opened", messageId: "transport-1", appId: "gateway", contentType: "application/json" }
const attributes = { specversion: "1.0", id: "ce-1", source: "/doors", type: "door.opened" }
const named = (prefix: string, more: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(more).map(([name, value]) => [prefix + name, value]))
const read = (headers: Readonly<Record<string, unknown>>, body: string | Buffer = '{"door":7}', more: object = {}) =>
  WireFormat.parse(Buffer.from(body as string), Limits.defaults, { ...hints, ...more }, headers)

const prefixes = ["cloudEvents:", "cloudEvents_", "ce-", "ce_", "CE-", "Cloudevents:"]

describe("binary mode", () => {
  it.each(prefixes)("takes its attributes from headers with the prefix %s, and its data from the body", (prefix) => {
    const headers = {
      tenant: "t",
      ...named(prefix, {
        ...attributes,
        time: "2026-03-04T05:06:07Z",
        subject: "door-7",
        correlationid: "c",
        dataschema: "urn:event:door.opened:1"
      })
    }
    const parsed = succeed(read(headers))
    assert.deepStrictEqual(parsed, {
      id: "ce-1",
      source: "/doors",
      type: "door.opened",
      time: new Date("2026-03-04T05:06:07Z"),
      key: "door-7",
      version: 1,
      correlationId: "c",
      causationId: undefined,
      actor: undefined,
      json: { door: 7 },
      expiryTime: undefined,
      tenant: undefined
    })
    assert.deepStrictEqual(succeed(WireFormat.decode(parsed, Opened)).data, { door: 7 })
  })

  it.prop("gives the event that structured mode gives", [json], ([data]) => {
    const time = "2026-03-04T05:06:07.125Z"
    const binary = read(named("cloudEvents:", { ...attributes, time }), JSON.stringify(data))
    assert.deepStrictEqual(succeed(binary), succeed(parse(JSON.stringify({ ...attributes, time, data }))))
  })

  it("reads texts sent as bytes, and times of AMQP", () => {
    const headers = named("cloudEvents:", {
      ...attributes,
      id: Buffer.from("ce-é"),
      time: { "!": "timestamp", value: 1_772_600_767 }
    })
    assert.deepInclude(succeed(read(headers)), { id: "ce-é", time: new Date("2026-03-04T05:06:07Z") })
  })

  it("reads its data by the content type, JSON if there is none", () => {
    const data = (contentType: string | undefined, body: string | Buffer, more: object = {}) =>
      succeed(read(named("cloudEvents:", { ...attributes, ...more }), body, { contentType })).json
    assert.deepStrictEqual(data(undefined, '{"door":7}'), { door: 7 })
    assert.deepStrictEqual(data("application/vnd.door+json", '{"door":7}'), { door: 7 })
    assert.strictEqual(data("text/plain", "{"), "{")
    assert.deepStrictEqual(data("image/png", Buffer.from([1, 2, 255])), new Uint8Array([1, 2, 255]))
    assert.strictEqual(data(undefined, "x", { datacontenttype: "text/plain" }), "x")
    assert.isUndefined(data("image/png", ""))
  })

  it("takes the AMQP timestamp for a missing time", () => {
    const timestamp = Date.UTC(2026, 2, 4)
    assert.deepStrictEqual(succeed(read(named("ce-", attributes), "1", { timestamp })).time, new Date(timestamp))
  })

  it("is never plain JSON: what is missing or wrong is refused by name", () => {
    for (const attribute of ["specversion", "id", "source", "type"]) {
      const { [attribute]: _, ...rest } = named("", attributes)
      assert.include(failure(read(named("cloudEvents:", rest))).message, attribute)
    }
    assert.include(failure(read({ "ce-specversion": "0.3" })).message, 'specversion: expected "1.0"')
    assert.include(failure(read(named("ce_", { ...attributes, time: "today" }))).message, "time")
    assert.include(failure(read(named("ce_", { ...attributes, subject: 7 }))).message, "subject")
    assert.include(failure(read(named("ce_", attributes), "{")).message, "the data is not JSON")
    assert.include(
      failure(read(named("ce_", attributes), `"${"x".repeat(1024 * 1024)}"`)).message,
      "the limit is 1048576"
    )
    // The names of data in structured mode are no attributes.
    assert.deepStrictEqual(succeed(read(named("ce_", { ...attributes, data: "x", data_base64: "AQID" }))).json, {
      door: 7
    })
  })

  it("is not a header that only begins alike, nor structured mode", () => {
    assert.deepInclude(succeed(read({ "ce-mark": "yes", "ceo-specversion": "1.0" })), { id: "transport-1" })
    const contentType = "application/cloudevents+json; charset=utf-8"
    const structured = WireFormat.encoder(Opened, "ours")(head(), { door: 1 })
    const headers = named("cloudEvents:", attributes)
    assert.deepInclude(succeed(read(headers, structured, { contentType })), { source: "ours", json: { door: 1 } })
    assert.deepInclude(succeed(read(headers, structured)), { source: "/doors" })
  })

  it("formats that are not read are refused by name", () => {
    for (const contentType of [
      "application/cloudevents-batch+json",
      "application/cloudevents+avro",
      "application/cloudevents"
    ])
      assert.include(failure(read(named("ce-", attributes), "[]", { contentType })).message, `"${contentType}"`)
  })
})

describe("a field specversion", () => {
  const plain = (value: unknown, more: object = {}) => read({}, JSON.stringify(value), more)

  it("in plain JSON does not make it a CloudEvent", () => {
    for (const specversion of ["1.0", "2", 7, null]) {
      const data = { specversion, id: "x", door: 1 }
      assert.deepInclude(succeed(plain(data)), { id: "transport-1", source: "gateway", json: data })
      assert.deepInclude(succeed(plain(data, { contentType: undefined })), { id: "transport-1", json: data })
    }
  })

  it("with the other required attributes does, and so does the media type or a message that says nothing else", () => {
    assert.strictEqual(succeed(plain({ ...attributes, data: 1 })).id, "ce-1")
    assert.include(failure(plain({ ...attributes, specversion: "2.0" })).message, "specversion")
    assert.include(failure(plain({ ...attributes, id: "" })).message, "id")
    for (const contentType of [WireFormat.contentType, "Application/CloudEvents+JSON; charset=utf-8"]) {
      assert.include(failure(plain({ specversion: "1.0" }, { contentType })).message, "type")
      assert.include(failure(plain({ door: 1 }, { contentType })).message, "specversion")
      assert.include(failure(plain([1], { contentType })).message, "not an object")
    }
    assert.include(failure(parse('{"specversion":"1.0"}')).message, "type")
  })
})
