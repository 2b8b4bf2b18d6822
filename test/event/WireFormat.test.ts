/** The wire format: the envelope is written exactly, and every part of a body is validated when it is read (P9, P15). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as WireFormat from "../../src/event/WireFormat.ts"
import * as Event from "../../src/event/Event.ts"
import { failure, head, json, parse, succeed } from "./support.ts"

const Any = Event.make("a.any", { version: 3, data: Schema.Json })

const short = Schema.String.check(Schema.isMaxLength(80))
const time = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Date.UTC(9999, 11, 31) }))
const Actor = Schema.Struct({ id: short, role: short, status: Schema.optionalKey(short) })
const Head = Schema.Struct({
  id: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(80)),
  time,
  key: Schema.UndefinedOr(short),
  correlationId: Schema.UndefinedOr(short),
  causationId: Schema.UndefinedOr(short),
  actor: Schema.UndefinedOr(Actor),
  expiryTime: Schema.UndefinedOr(time),
  tenant: Schema.UndefinedOr(short.check(Schema.isMinLength(1)))
})

const body = (more: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ specversion: "1.0", id: "1", source: "test", type: "a.two", data: { n: 1 }, ...more })
const without = (name: string): string => JSON.stringify({ ...JSON.parse(body()), [name]: undefined })
const refusal = (more: Readonly<Record<string, unknown>>): string => failure(parse(body(more))).message

describe("encoder", () => {
  it.prop(
    "writes JSON that equals the envelope, whatever the strings contain",
    [Head, short, json],
    ([given, source, data]) => {
      const written: unknown = JSON.parse(WireFormat.encoder(Any, source)(given, data))
      const { actor } = given
      const expected: unknown = JSON.parse(
        JSON.stringify({
          specversion: "1.0",
          source,
          type: "a.any",
          datacontenttype: "application/json",
          dataschema: "urn:event:a.any:3",
          id: given.id,
          time: new Date(given.time).toISOString(),
          subject: given.key,
          correlationid: given.correlationId,
          causationid: given.causationId,
          actor: actor?.id,
          actorrole: actor?.role,
          actorstatus: actor?.status,
          tenant: given.tenant,
          expirytime: given.expiryTime === undefined ? undefined : new Date(given.expiryTime).toISOString(),
          data
        })
      )
      assert.deepStrictEqual(written, expected)
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "reads back what was written",
    [Head, json],
    ([given, data]) => {
      const text = WireFormat.encoder(Any, "source")(given, data)
      const parsed = succeed(parse(text))
      assert.deepStrictEqual(parsed, {
        id: given.id,
        source: "source",
        type: "a.any",
        time: new Date(given.time),
        key: given.key,
        version: 3,
        correlationId: given.correlationId,
        causationId: given.causationId,
        actor: given.actor,
        // -0 has no JSON.
        json: JSON.parse(JSON.stringify(data)),
        expiryTime: given.expiryTime === undefined ? undefined : new Date(given.expiryTime),
        tenant: given.tenant
      })
    },
    { arbitrary: { runs: 1000 } }
  )

  it("keeps every time, also when many differ", () => {
    const write = WireFormat.encoder(Any, "x")
    for (const millis of [
      0, 1, 1, 0, 999, 1_800_000_000_000, 1_800_000_000_007, 1_800_000_000_012, 1_800_000_000_999, 5
    ]) {
      assert.include(write(head({ time: millis }), 1), `"time":"${new Date(millis).toISOString()}"`)
    }
  })

  it("an id from a caller cannot forge another attribute", () => {
    const text = WireFormat.encoder(Any, "x")(head({ id: '1","source":"forged","id":"2' }), null)
    assert.strictEqual(succeed(parse(text)).source, "x")
    assert.strictEqual(succeed(parse(text)).id, '1","source":"forged","id":"2')
  })

  it("data without a JSON form becomes null, never half a body", () => {
    assert.strictEqual(succeed(parse(WireFormat.encoder(Any, "x")(head(), undefined))).json, null)
  })
})

describe("the required attributes", () => {
  it.each(["id", "source", "type", "specversion"])("refuses a body without %s", (name) => {
    const result = parse(without(name))
    assert.include(failure(result).message, name)
  })

  it.each(["id", "source"])("refuses an invalid %s", (name) => {
    const most = name === "source" ? 65_536 : 255
    for (const bad of ["", "x".repeat(most + 1), "é".repeat(Math.ceil(most / 2) + 1), 1, true, {}, [], null])
      assert.include(refusal({ [name]: bad }), `${name}: expected a string of 1 to ${most} bytes`)
    for (const good of ["x".repeat(most), "é".repeat(127), " ", "\u0000"]) succeed(parse(body({ [name]: good })))
  })

  it("refuses other spec versions", () => {
    for (const bad of ["0.3", "1.0.1", "1", 1, 1.0, null, "", {}, "1.0 "])
      assert.include(refusal({ specversion: bad }), 'specversion: expected "1.0"')
  })

  it("refuses types that are not event names", () => {
    for (const bad of [
      "",
      "A.b",
      "com.Example.Event",
      "a..b",
      "a b",
      "a.*",
      "a.#",
      "a\n",
      1,
      null,
      {},
      ["a.two"],
      "x".repeat(201),
      "__proto__"
    ]) {
      assert.strictEqual(failure(parse(body({ type: bad }))).event, "?")
    }
  })

  it("names the event once the type is known", () => assert.strictEqual(failure(parse(body({ id: 1 }))).event, "a.two"))
})

describe("the optional attributes", () => {
  const names = ["subject", "correlationid", "causationid", "actor", "actorrole", "actorstatus"]

  it.each(names)("%s may be absent or null, otherwise it must be a short string", (name) => {
    succeed(parse(body({ [name]: null })))
    succeed(parse(body({ [name]: "x".repeat(255) })))
    // Of a subject CloudEvents asks for more.
    const [most, long] = name === "subject" ? [65_536, "x".repeat(65_537)] : [255, "x".repeat(256)]
    for (const bad of [1, true, {}, [], long, "€".repeat(Math.ceil((most + 1) / 3))])
      assert.include(refusal({ [name]: bad }), `${name}: expected a string of at most ${most} bytes`)
  })

  it("reads an actor from one, two or three attributes; a role alone is not an actor", () => {
    const actor = (more: Readonly<Record<string, unknown>>) => succeed(parse(body(more))).actor
    assert.deepStrictEqual(actor({ actor: "u-1", actorrole: "teacher", actorstatus: "active" }), {
      id: "u-1",
      role: "teacher",
      status: "active"
    })
    assert.deepStrictEqual(actor({ actor: "u-1", actorrole: "teacher" }), { id: "u-1", role: "teacher" })
    assert.deepStrictEqual(actor({ actor: "u-1" }), { id: "u-1", role: "" })
    assert.isUndefined(actor({ actorrole: "administrator", actorstatus: "active" }))
  })

  it("ignores unknown attributes", () => {
    const parsed = succeed(parse(body({ traceparent: "00-x", "bus-attempt": 7, ext: { deep: [1] } })))
    assert.deepStrictEqual(parsed.json, { n: 1 })
  })

  it("accepts only times in RFC 3339, because others depend on the machine", () => {
    const at = (text: unknown) => succeed(parse(body({ time: text }))).time.toISOString()
    assert.strictEqual(at("2026-09-07T08:00:00Z"), "2026-09-07T08:00:00.000Z")
    assert.strictEqual(at("2026-09-07T08:00:00.5+02:00"), "2026-09-07T06:00:00.500Z")
    assert.strictEqual(at("2026-09-07T08:00:00.123456789Z"), "2026-09-07T08:00:00.123Z")
    assert.strictEqual(at("2026-09-07t08:00:00z"), "2026-09-07T08:00:00.000Z")
    assert.strictEqual(at("2026-09-07T08:00:00.123456789012345Z"), "2026-09-07T08:00:00.123Z")
    assert.strictEqual(at("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59.999Z")
    assert.strictEqual(at("2016-12-31T23:59:60.250Z"), "2016-12-31T23:59:59.999Z")
    assert.strictEqual(at("2016-12-31T23:59:59.250Z"), "2016-12-31T23:59:59.250Z")
    for (const bad of [
      "",
      "x",
      "2026",
      "2026-09-07",
      "2026-09-07T08:00:00",
      "2026-09-07T08:00Z",
      "2026-13-07T08:00:00Z",
      "2026-02-30T08:00:00Z",
      "2026-02-30T08:00:00.123Z",
      "2026-09-07T24:00:00Z",
      "2026-09-07T25:00:00Z",
      "Mon, 07 Sep 2026 08:00:00 GMT",
      "1",
      "Sep 7 2026",
      1,
      1_800_000_000_000,
      true,
      {}
    ]) {
      assert.include(refusal({ time: bad }), "time: expected an RFC 3339 time", String(bad))
    }
  })

  it("a missing time is the AMQP timestamp, and the epoch without one", () => {
    const timestamp = Date.UTC(2026, 8, 7)
    for (const time of [undefined, null]) {
      assert.strictEqual(succeed(parse(body({ time }), { timestamp })).time.getTime(), timestamp)
      assert.strictEqual(succeed(parse(body({ time }))).time.getTime(), 0)
    }
    assert.strictEqual(
      succeed(parse(body({ time: "2026-09-07T08:00:00Z" }), { timestamp })).time.getTime(),
      Date.UTC(2026, 8, 7, 8)
    )
  })
})

describe("dataschema", () => {
  const version = (dataschema: unknown) => succeed(parse(body({ dataschema }))).version

  it("is ours with a version, or that of another publisher", () => {
    assert.strictEqual(version("urn:event:a.two:1"), 1)
    assert.strictEqual(version("urn:event:a.two:999999999"), 999_999_999)
    for (const foreign of [
      undefined,
      null,
      "https://example.org/schema.json",
      "urn:other:a.two:1",
      "URN:event:a.two:1",
      "#x",
      ""
    ])
      assert.isUndefined(version(foreign), String(foreign))
  })

  it("is refused if it is ours but malformed", () => {
    for (const bad of [
      "urn:event:",
      "urn:event:a.two",
      "urn:event:a.two:",
      "urn:event:a.one:1",
      "urn:event:a.two.three:1",
      "urn:event:a:1",
      ...[
        "0",
        "-1",
        "01",
        "1.0",
        "1e3",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "0x1",
        "x",
        "٣",
        "1:1",
        "9".repeat(10),
        "9".repeat(400),
        "Infinity",
        "NaN"
      ].map((v) => `urn:event:a.two:${v}`),
      1,
      true,
      {},
      []
    ]) {
      assert.include(
        refusal({ dataschema: bad }),
        'dataschema: expected "urn:event:a.two:1" with the version at the end',
        String(bad)
      )
    }
  })
})
