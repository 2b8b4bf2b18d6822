/** The forms of other systems, as their own documents and libraries write them: read, refused, and written. */
import { assert, describe, it } from "@effect/vitest"
import { CloudEvent, HTTP } from "cloudevents"
import { Result } from "effect"
import * as Codecs from "../../../src/event/foreign/Codecs.ts"
import * as ForeignCodec from "../../../src/event/foreign/ForeignCodec.ts"

const message = (body: unknown, more: Partial<ForeignCodec.ForeignMessage> = {}): ForeignCodec.ForeignMessage => ({
  body: body instanceof Uint8Array ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  contentType: "application/json",
  contentEncoding: undefined,
  messageId: undefined,
  type: undefined,
  time: undefined,
  appId: undefined,
  correlationId: undefined,
  headers: {},
  exchange: "shop",
  routingKey: "order.created",
  ...more
})

const read = (codec: ForeignCodec.ForeignCodec, one: ForeignCodec.ForeignMessage) =>
  Result.getOrThrow(ForeignCodec.read(codec, one))
const fault = (codec: ForeignCodec.ForeignCodec, one: ForeignCodec.ForeignMessage) =>
  Result.match(ForeignCodec.read(codec, one), {
    onFailure: ({ expected, path }) => `${path}: ${expected}`,
    onSuccess: () => "it was read"
  })

/** An event of ours, written and read back by the same codec. */
const roundTrip = (codec: ForeignCodec.ForeignCodec, type: string, data: unknown) => {
  const {
    body,
    contentType,
    headers = {}
  } = codec.write({
    type,
    id: "id-1",
    source: "ours",
    time: new Date(Date.UTC(2026, 2, 4)),
    key: "k",
    correlationId: "c-1",
    actor: { id: "u-1", role: "teacher", status: "active" },
    tenant: "school-7",
    data
  })
  return read(codec, message(body, { contentType, headers, type }))
}

const noFlow = { correlationId: undefined, actor: undefined, tenant: undefined }

describe("codecs", () => {
  it("plain JSON: the type is the property, or the routing key, or what the service says", () => {
    const json = Codecs.json()
    assert.deepInclude(read(json, message({ n: 1 })), { type: "order.created", data: { n: 1 } })
    assert.deepInclude(read(json, message({ n: 1 }, { type: "OrderCreated" })), { type: "OrderCreated" })
    // https://docs.spring.io/spring-amqp/reference/amqp/message-converters.html: the class of the payload
    const spring = Codecs.json({ type: ({ headers }) => String(headers["__TypeId__"]) })
    const headers = { __TypeId__: "com.shop.OrderCreated" }
    assert.deepInclude(read(spring, message({ n: 1 }, { headers })), { type: "com.shop.OrderCreated" })
    const byField = Codecs.json({ id: (_, body) => Object(body).orderId, type: (_, body) => Object(body).kind })
    assert.deepInclude(read(byField, message({ kind: "created", orderId: "o-1" })), { type: "created", id: "o-1" })
    assert.deepInclude(roundTrip(json, "a", { n: 1 }), { type: "a", data: { n: 1 } })
  })

  it("what is no JSON, encoded, deep, or rounded is refused without its values", () => {
    const json = Codecs.json()
    assert.include(fault(json, message("{secret")), "the body is not JSON")
    assert.notInclude(fault(json, message("{secret")), "secret")
    assert.include(fault(json, message("{}", { contentEncoding: "gzip" })), "without a content encoding")
    assert.include(fault(json, message("[".repeat(70) + "]".repeat(70))), "nests deeper")
    assert.include(fault(json, message('{"id":9007199254740993}')), "JavaScript would round")
    assert.include(fault(json, message(new Uint8Array([0xff, 0x7b]))), "not UTF-8")
    assert.include(fault(json, message("")), "the body is empty")
  })

  it("NestJS: patterns of text and of objects", () => {
    const nest = Codecs.nest()
    assert.deepInclude(read(nest, message({ pattern: "ORDER_CREATED", data: { n: 1 } })), {
      type: "ORDER_CREATED",
      data: { n: 1 }
    })
    const request = message({ pattern: { service: "shop", cmd: { b: 1, a: "x" } }, data: 7, id: "r-1" })
    assert.deepInclude(read(nest, request), { type: '{"cmd":{"a":"x","b":1},"service":"shop"}', data: 7, id: "r-1" })
    assert.include(fault(nest, message({ data: 1 })), "pattern: the pattern of NestJS")
    assert.include(fault(nest, message("[1]")), "a JSON object")
    const type = '{"cmd":"sum"}'
    assert.deepInclude(roundTrip(nest, type, [1, 2]), { type, data: [1, 2] })
    assert.include(
      nest.write({ type, id: "", source: "", time: new Date(0), key: undefined, ...noFlow, data: 1 }).body,
      '"pattern":{"cmd":"sum"}'
    )
  })

  it("MassTransit's envelope", () => {
    const massTransit = Codecs.massTransit()
    // https://masstransit.io/documentation/configuration/serialization
    const envelope = {
      messageId: "181c0000-6393-3630-36a4-08daf4e7c6da",
      requestId: "ef375b18-69ee-4a9e-b5ec-44ee1177a27e",
      correlationId: null,
      conversationId: "181c0000-6393-3630-c2ab-08daf4e7c6dd",
      sourceAddress: "rabbitmq://localhost/source",
      destinationAddress: "rabbitmq://localhost/destination",
      messageType: ["urn:message:Company.Project:CustomerCreated", "urn:message:Company:Created"],
      message: { n: 1 },
      expirationTime: null,
      sentTime: "2026-03-04T05:06:07Z",
      headers: {}
    }
    assert.deepInclude(read(massTransit, message(envelope, { contentType: "application/vnd.masstransit+json" })), {
      type: "Company.Project:CustomerCreated",
      data: { n: 1 },
      id: envelope.messageId,
      source: envelope.sourceAddress,
      time: new Date(Date.UTC(2026, 2, 4, 5, 6, 7)),
      correlationId: envelope.conversationId
    })
    assert.include(fault(massTransit, message({ message: {} })), "messageType")
    assert.deepInclude(roundTrip(massTransit, "Shop:Ordered", { n: 1 }), {
      type: "Shop:Ordered",
      id: "id-1",
      data: { n: 1 },
      correlationId: "c-1",
      source: "rabbitmq://localhost/ours"
    })
  })

  it("CloudEvents of any type, in binary and in structured mode, as the SDK writes them", () => {
    const cloudEvents = Codecs.cloudEvents()
    const event = new CloudEvent({
      type: "com.github.pull_request.opened",
      source: "https://github.com/cloudevents/spec/pull",
      id: "A234-1234-1234",
      time: "2018-04-05T17:31:00Z",
      datacontenttype: "application/json",
      data: { n: 1 }
    })
    const expected = {
      type: "com.github.pull_request.opened",
      source: "https://github.com/cloudevents/spec/pull",
      id: "A234-1234-1234",
      data: { n: 1 }
    }
    const structured7 = { specversion: "1.0", id: "1", source: "s", type: "t" }
    const binary = HTTP.binary(event)
    assert.deepInclude(read(cloudEvents, message(String(binary.body), { headers: binary.headers })), expected)
    const structured = HTTP.structured(event)
    const contentType = "application/cloudevents+json"
    assert.deepInclude(read(cloudEvents, message(String(structured.body), { contentType })), expected)
    assert.include(fault(cloudEvents, message({ specversion: "1.0", id: "1", source: "s" })), "type: expected a text")
    assert.include(fault(cloudEvents, message({ specversion: "0.3" })), 'specversion: expected "1.0"')
    assert.deepInclude(roundTrip(cloudEvents, "A/b_C", { n: 1 }), {
      type: "A/b_C",
      id: "id-1",
      source: "ours",
      data: { n: 1 },
      time: new Date(Date.UTC(2026, 2, 4)),
      actor: { id: "u-1", role: "teacher", status: "active" },
      tenant: "school-7"
    })
    assert.include(fault(cloudEvents, message({ ...structured7, tenant: true })), "tenant: expected a text")
    assert.strictEqual(read(cloudEvents, message({ ...structured7, tenant: 7 })).tenant, "7")
    assert.deepStrictEqual(roundTrip(cloudEvents, "A", new Uint8Array([1, 255])).data, new Uint8Array([1, 255]))
  })

  it("bytes", () => {
    const bytes = Codecs.bytes()
    assert.deepStrictEqual(read(bytes, message(new Uint8Array([0, 255]))).data, new Uint8Array([0, 255]))
    assert.deepStrictEqual(roundTrip(bytes, "a", new Uint8Array([1])).data, new Uint8Array([1]))
  })

  it("a codec that throws, or returns something else, has not read it", () => {
    const throwing: ForeignCodec.ForeignCodec = {
      ...Codecs.json(),
      name: "mine",
      read: () => {
        throw new Error("secret")
      }
    }
    assert.include(fault(throwing, message("{}")), 'the codec "mine" threw')
    assert.notInclude(fault(throwing, message("{}")), "secret")
    // A codec without types.
    const wrong = { ...Codecs.json(), read: () => ({ type: "a", data: 1 }) as never }
    assert.include(fault(wrong, message("{}")), "returned no Result")
    assert.include(
      fault({ ...Codecs.json(), read: () => Result.succeed({ type: 7 as never, data: 1 }) }, message("{}")),
      "a type that is no text"
    )
  })
})
