/**
 * Messages of Spring AMQP, as its reference describes them (https://docs.spring.io/spring-amqp/reference/amqp/message-converters.html):
 * `Jackson2JsonMessageConverter` writes the class of the payload into `__TypeId__`, those of the elements of a collection and of the
 * keys of a map into `__ContentTypeId__` and `__KeyTypeId__`, and its charset into the property content encoding.
 */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Foreign from "../../../src/bus/Foreign.ts"

const fromSpring = (
  body: unknown,
  headers: Readonly<Record<string, unknown>>,
  more: Partial<Foreign.Message> = {}
): Foreign.Message => ({
  body: Buffer.from(JSON.stringify(body)),
  contentType: "application/json",
  contentEncoding: "UTF-8",
  messageId: undefined,
  type: undefined,
  time: undefined,
  appId: undefined,
  correlationId: undefined,
  headers,
  exchange: "",
  routingKey: "orders",
  ...more
})

/** The codec of the guide. */
const codec = Foreign.json({ type: ({ headers }) => String(headers["__TypeId__"]) })
const read = (message: Foreign.Message) => Result.getOrThrow(codec.read(message))

describe("messages of Spring", () => {
  it("have the type of their class, whatever charset they name", () => {
    for (const contentEncoding of ["UTF-8", "utf-8", "ISO-8859-1", undefined])
      assert.deepStrictEqual(
        read(fromSpring({ orderId: "o-1" }, { __TypeId__: "com.shop.OrderPaid" }, { contentEncoding })),
        { type: "com.shop.OrderPaid", data: { orderId: "o-1" }, id: undefined }
      )
  })

  it("in another charset than UTF-8 are refused, and not guessed", () => {
    const body = Buffer.from(JSON.stringify({ city: "Zürich" }), "latin1")
    for (const contentEncoding of ["ISO-8859-1", "UTF-8"])
      assert.isTrue(Result.isFailure(codec.read(fromSpring({}, {}, { body, contentEncoding }))), contentEncoding)
  })

  it("may be collections and maps, whose elements have types of their own", () => {
    const list = { __TypeId__: "java.util.ArrayList", __ContentTypeId__: "com.shop.OrderPaid" }
    assert.deepInclude(read(fromSpring([{ orderId: "o-1" }], list)), {
      type: "java.util.ArrayList",
      data: [{ orderId: "o-1" }]
    })
    const map = {
      __TypeId__: "java.util.HashMap",
      __KeyTypeId__: "java.lang.String",
      __ContentTypeId__: "java.lang.Long"
    }
    assert.deepInclude(read(fromSpring({ one: 1 }, map)), { type: "java.util.HashMap", data: { one: 1 } })
  })

  it("compressed by a post processor are no JSON", () => {
    for (const contentEncoding of ["gzip", "deflate", "gzip:UTF-8"]) {
      const message = fromSpring({}, { __TypeId__: "com.shop.OrderPaid" }, { contentEncoding })
      assert.isTrue(Result.isFailure(codec.read(message)), contentEncoding)
    }
  })

  it("are written as JSON, and the class is a header that the publish gives", () => {
    const event = {
      type: "com.shop.OrderPaid",
      id: "1",
      source: "ours",
      time: new Date(0),
      key: undefined,
      correlationId: undefined,
      actor: undefined,
      tenant: undefined,
      data: { orderId: "o-1" }
    }
    assert.deepStrictEqual(codec.write(event), { body: '{"orderId":"o-1"}', contentType: "application/json" })
  })
})
