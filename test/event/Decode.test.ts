/** From a parsed body to an envelope: versions, unknown events, and plain JSON of other publishers (P9). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as WireFormat from "../../src/event/WireFormat.ts"
import * as Event from "../../src/event/Event.ts"
import { InvalidEvent, UnknownEvent, UnknownVersion } from "../../src/event/EventError.ts"
import { failure, parse, succeed } from "./support.ts"

const V2 = Event.make("a.two", {
  version: 2,
  data: Schema.Struct({ n: Schema.Finite }),
  previous: [{ version: 1, data: Schema.Struct({ m: Schema.Finite }), up: ({ m }) => ({ n: m }) }]
})

const body = (more: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ specversion: "1.0", id: "1", source: "test", type: "a.two", data: { n: 1 }, ...more })

describe("decode", () => {
  const decode = (more: Readonly<Record<string, unknown>>, contract: Event.Any | undefined = V2) =>
    WireFormat.decode(succeed(parse(body(more))), contract)

  it("returns the envelope with data of the newest version, and the version that was published", () => {
    assert.deepStrictEqual(
      succeed(
        decode({
          dataschema: "urn:event:a.two:1",
          data: { m: 4 },
          subject: "k",
          correlationid: "c",
          causationid: "p",
          time: "2026-09-07T08:00:00Z",
          actor: "u"
        })
      ),
      {
        id: "1",
        type: "a.two",
        version: 1,
        source: "test",
        time: new Date("2026-09-07T08:00:00Z"),
        key: "k",
        correlationId: "c",
        causationId: "p",
        actor: { id: "u", role: "" },
        data: { n: 4 }
      }
    )
  })

  it("takes the key from the contract, whatever the subject is; without one there, from the subject", () => {
    const Moved = Event.make("a.two", {
      version: 2,
      data: Schema.Struct({ account: Schema.String }),
      key: ({ account }) => account,
      previous: [{ version: 1, data: Schema.Struct({ m: Schema.Finite }), up: ({ m }) => ({ account: `old-${m}` }) }]
    })
    const keyIn = (more: Readonly<Record<string, unknown>>, contract: Event.Any) => succeed(decode(more, contract)).key
    for (const subject of [undefined, null, "a-7", "another", ""])
      assert.strictEqual(keyIn({ subject, data: { account: "a-7" } }, Moved), "a-7")
    assert.strictEqual(keyIn({ dataschema: "urn:event:a.two:1", data: { m: 4 }, subject: "4" }, Moved), "old-4")
    assert.strictEqual(keyIn({ subject: "k" }, V2), "k")
    assert.strictEqual(
      succeed(WireFormat.decode(succeed(parse('{"account":"a-8"}', { type: "a.two" })), Moved)).key,
      "a-8"
    )
  })

  it("data for which the contract has no key is invalid, and its error is not quoted", () => {
    const keys: ReadonlyArray<() => string> = [
      () => {
        throw new Error("4711")
      },
      // Callers without types may return anything.
      () => JSON.parse("7"),
      () => JSON.parse("null")
    ]
    for (const key of keys) {
      const Odd = Event.make("a.two", { version: 1, data: Schema.Struct({ n: Schema.Finite }), key })
      const error = failure(decode({ subject: "k" }, Odd))
      assert(error instanceof InvalidEvent)
      assert.strictEqual(error.faults[0]?.path, "subject")
      assert.notInclude(error.message, "4711")
    }
  })

  it("assumes the newest version if there is none", () => assert.strictEqual(succeed(decode({})).version, 2))

  it("distinguishes newer versions, unknown events and invalid data", () => {
    const newer = failure(decode({ dataschema: "urn:event:a.two:3" }))
    assert.instanceOf(newer, UnknownVersion)
    assert.deepInclude(newer, { event: "a.two", version: 3, known: 2 })
    assert.instanceOf(failure(WireFormat.decode(succeed(parse(body())), undefined)), UnknownEvent)
    for (const data of [undefined, null, 1, "x", [], {}, { n: "1" }, { n: null }])
      assert.instanceOf(failure(decode({ data })), InvalidEvent, JSON.stringify(data))
  })

  it("a number that overflowed is not finite", () => {
    const text = body().replace('{"n":1}', '{"n":1e999}')
    assert.include(failure(WireFormat.decode(succeed(parse(text)), V2)).message, "data.n")
  })
})

describe("plain JSON", () => {
  it("is accepted with the name in the AMQP properties", () => {
    const sent = new Date("2026-09-07T08:00:00Z")
    assert.deepStrictEqual(
      succeed(parse('{"n":1}', { type: "a.two", messageId: "m-1", appId: "legacy", timestamp: sent.getTime() })),
      {
        id: "m-1",
        source: "legacy",
        type: "a.two",
        time: sent,
        key: undefined,
        version: undefined,
        correlationId: undefined,
        causationId: undefined,
        actor: undefined,
        json: { n: 1 },
        expiryTime: undefined,
        tenant: undefined
      }
    )
    assert.deepInclude(succeed(parse("7", { type: "a.two" })), { id: "", source: "", time: new Date(0), json: 7 })
    assert.deepStrictEqual(succeed(WireFormat.decode(succeed(parse('{"n":1}', { type: "a.two" })), V2)).data, { n: 1 })
  })

  it("is refused without the name of an event, with a remedy", () => {
    for (const type of [undefined, "", "A", "a b", "*", "#", "a.two\n"]) {
      assert.include(
        failure(parse('{"n":1}', { type })).message,
        "expected a CloudEvents body, or plain JSON with the event's name in the AMQP property `type`"
      )
    }
  })

  it("if the property and a CloudEvents body name different events, the body wins", () => {
    assert.strictEqual(succeed(parse(body(), { type: "a.other" })).type, "a.two")
  })

  it("an array or a string that contains a specversion is plain JSON", () => {
    assert.deepStrictEqual(succeed(parse('["specversion"]', { type: "a.two" })).json, ["specversion"])
    assert.strictEqual(succeed(parse('"specversion"', { type: "a.two" })).json, "specversion")
  })
})
