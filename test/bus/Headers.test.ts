/** What the runtime writes of itself on a message comes back as it was, within its bounds (P8, P13, P15). */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { Delivery, Headers } from "../../src/bus/Broker.ts"
import * as Diagnosis from "../../src/bus/Diagnosis.ts"
import * as RuntimeHeaders from "../../src/bus/RuntimeHeaders.ts"

const delivery = (headers: Readonly<Record<string, unknown>>, trusted = true): Delivery => ({
  body: Buffer.from("{}"),
  properties: {
    messageId: "m-1",
    type: "a.b",
    timestamp: 0,
    appId: "test",
    correlationId: undefined,
    contentType: undefined
  },
  headers: Object.assign(Object.create(null), headers),
  trusted,
  redelivered: false,
  deliveryCount: 0,
  routingKey: "a.b",
  ack: () => {},
  lost: () => false
})
const bytesOf = (headers: Headers): number =>
  Object.entries(headers).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + (typeof value === "string" ? Buffer.byteLength(value) : 8),
    0
  )

const Count = Schema.Literals([0, 1, 2, 7, 100, 2 ** 31, Number.MAX_SAFE_INTEGER])
const Maybe = Schema.UndefinedOr(Count)
const PastFailure = Schema.Struct({ at: Count, attempt: Count, tag: Schema.String, message: Schema.String })
const Progress = Schema.Struct({
  attempt: Schema.Literals([1, 2, 7, 1_000_000]),
  firstFailure: Maybe,
  failures: Schema.Array(PastFailure).check(Schema.isMaxLength(RuntimeHeaders.keptFailures)),
  postponed: Count,
  postponedSince: Maybe,
  returns: Count,
  due: Maybe,
  replays: Count,
  replayId: Schema.UndefinedOr(Schema.String),
  firstSpan: Schema.UndefinedOr(Schema.String.check(Schema.isMaxLength(55)))
})

describe("RuntimeHeaders", () => {
  it.prop("round trip", { progress: Progress }, ({ progress }) => {
    assert.deepStrictEqual(RuntimeHeaders.parse(RuntimeHeaders.write(progress)), progress)
  })

  it("a fresh event carries none", () => {
    assert.deepStrictEqual(RuntimeHeaders.write(RuntimeHeaders.fresh), {})
    assert.deepStrictEqual(RuntimeHeaders.parse({}), RuntimeHeaders.fresh)
  })

  it("P15, N26: are believed of the runtime alone", () => {
    const headers = RuntimeHeaders.write({ ...RuntimeHeaders.fresh, attempt: 9, postponed: 3, due: 5, replays: 2 })
    assert.strictEqual(RuntimeHeaders.read(delivery(headers)).attempt, 9)
    assert.deepStrictEqual(RuntimeHeaders.read(delivery(headers, false)), RuntimeHeaders.fresh)
  })

  it.prop(
    "P15: any value in any of them is read as something valid",
    {
      values: Arbitrary.schema(
        Schema.Record(
          Schema.Literals(Object.values(RuntimeHeaders.names)),
          Schema.Union([
            Schema.String,
            Schema.Finite,
            Schema.Literals([1e308, -1, 0.5]),
            Schema.Boolean,
            Schema.Null,
            Schema.Literals(["[]", "[1]", '[{"at":1}]', "{", "null", "[null]"])
          ])
        )
      )
    },
    ({ values }) => {
      const progress = RuntimeHeaders.parse(values)
      for (const count of [progress.attempt, progress.postponed, progress.replays]) {
        assert.isTrue(Number.isSafeInteger(count) && count >= 0)
      }
      assert.isAtLeast(progress.attempt, 1)
      for (const time of [progress.firstFailure, progress.postponedSince, progress.due]) {
        assert.isTrue(time === undefined || (Number.isSafeInteger(time) && time >= 0))
      }
      for (const failure of progress.failures) assert.isString(failure.message)
    }
  )

  it("the history keeps the last ten failures, shortened", () => {
    let progress: RuntimeHeaders.Progress = RuntimeHeaders.fresh
    for (let attempt = 1; attempt <= 25; attempt++) {
      const failures = RuntimeHeaders.addFailure(progress, {
        at: attempt,
        attempt,
        tag: "Boom",
        message: "x".repeat(10_000)
      })
      progress = { ...progress, failures }
    }
    assert.deepStrictEqual(
      progress.failures.map(({ attempt }) => attempt),
      [16, 17, 18, 19, 20, 21, 22, 23, 24, 25]
    )
    for (const { message } of progress.failures) assert.strictEqual(message.length, 200)
  })

  it("P13: the history is bounded whatever failed: long tags, signs that JSON writes in six bytes", () => {
    let progress: RuntimeHeaders.Progress = RuntimeHeaders.fresh
    for (let attempt = 1; attempt <= 25; attempt++) {
      const failures = RuntimeHeaders.addFailure(progress, {
        at: attempt,
        attempt,
        tag: "T".repeat(50_000),
        message: "\u0001".repeat(10_000)
      })
      progress = { ...progress, failures }
    }
    assert.isAtMost(bytesOf(RuntimeHeaders.write(progress)), 16 * 1024)
  })

  it("P15, N3: a copy keeps what a user may set, and nothing of the broker's or the runtime's", () => {
    const headers = {
      tenant: "t-1",
      count: 3,
      flag: false,
      "bus-attempt": 9,
      "BUS-attempt": 9,
      "x-death": [{ queue: "q" }],
      "X-Death": "y",
      "x-delivery-count": 3,
      CC: "elsewhere",
      BCC: "elsewhere",
      nothing: null,
      nested: { a: 1 },
      when: new Date(0),
      nan: Number.NaN,
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tracestate: "s".repeat(5_000)
    }
    assert.deepStrictEqual(RuntimeHeaders.userHeaders(delivery(headers)), { tenant: "t-1", count: 3, flag: false })
    const trace = RuntimeHeaders.traceHeaders(delivery(headers))
    assert.strictEqual(trace["traceparent"], headers.traceparent)
    assert.strictEqual(String(trace["tracestate"]).length, 512)
  })
})

const Text = Schema.Union([
  Schema.String,
  Schema.Literals(["", "e", "é".repeat(200), "é".repeat(2_500), "🎓".repeat(1_200), "\u0000", "x".repeat(5_000)])
])
const Whatever = Schema.Struct({
  subscriber: Schema.Literals(["mailer", "notification.grade-mailer"]),
  reason: Schema.Literals([
    "Exhausted",
    "Rejected",
    "Invalid",
    "UnknownEvent",
    "UnknownVersion",
    "LaneFull",
    "LaneTooSlow",
    "PostponedTooOften",
    "CrashLoop"
  ]),
  error: Schema.Struct({ tag: Text, message: Text, stack: Schema.UndefinedOr(Text) }),
  attempts: Count,
  firstFailure: Maybe,
  lastFailure: Maybe,
  failures: Schema.Array(PastFailure).check(Schema.isMaxLength(RuntimeHeaders.keptFailures)),
  eventId: Text,
  eventType: Schema.Literals(["a.b"]),
  host: Schema.Literals(["host:1"]),
  library: Schema.Literals([Diagnosis.library]),
  replays: Count
})

describe("Diagnosis", () => {
  it.prop("P8: round trips, texts at most shortened", { diagnosis: Whatever }, ({ diagnosis }) => {
    const read = Diagnosis.read(delivery(Diagnosis.write(diagnosis)), "someone else")
    const { error, eventId, ...rest } = diagnosis
    assert.deepInclude(read, rest)
    const same = (got: string, was: string, bytes: number): void => {
      if (Buffer.byteLength(was) <= bytes) assert.strictEqual(got, was)
      else {
        assert.isAtMost(Buffer.byteLength(got), bytes)
        assert.isTrue(was.startsWith(got.replace(/\ufffd?…$/, "")))
      }
    }
    same(read.error.tag, error.tag, 128)
    same(read.error.message, error.message, 1024)
    if (error.stack !== undefined) same(read.error.stack ?? "", error.stack, 4096)
    same(read.eventId, eventId, 255)
  })

  it("P13, N26: 16 KiB at most, whatever failed", () => {
    let failures: ReadonlyArray<RuntimeHeaders.PastFailure> = []
    for (let attempt = 1; attempt <= 12; attempt++) {
      failures = RuntimeHeaders.addFailure(
        { ...RuntimeHeaders.fresh, failures },
        { at: attempt, attempt, tag: "é".repeat(9_000), message: "🎓".repeat(9_000) }
      )
    }
    const long = "🎓".repeat(20_000)
    const headers = Diagnosis.write({
      subscriber: "s".repeat(200),
      reason: "Exhausted",
      error: { tag: long, message: long, stack: long },
      attempts: 12,
      firstFailure: 1,
      lastFailure: 2,
      failures,
      eventId: long,
      eventType: "t".repeat(200),
      host: long,
      library: Diagnosis.library,
      replays: 3
    })
    assert.isAtMost(bytesOf(headers), 16 * 1024)
  })

  it("describes a failure of any kind without throwing", () => {
    class Tagged extends Error {
      readonly _tag = "Tagged"
    }
    const cases: ReadonlyArray<readonly [unknown, string, string]> = [
      [new Tagged("why"), "Tagged", "why"],
      [new TypeError("what"), "TypeError", "what"],
      [{ _tag: "Plain", message: "text" }, "Plain", "text"],
      [{ message: 7 }, "Object", "an object that is not an Error"],
      ["text", "string", "text"],
      [42, "number", "42"],
      [undefined, "undefined", "undefined"],
      [null, "object", "null"],
      [Symbol("s"), "symbol", "Symbol(s)"],
      [10n, "bigint", "10"]
    ]
    for (const [error, tag, message] of cases) {
      const failure = Diagnosis.describe(error)
      assert.deepStrictEqual([failure.tag, failure.message], [tag, message])
    }
    assert.include(Diagnosis.stackOf(new Error("x")), "Headers.test")
  })

  it("describes errors that lie about themselves", () => {
    const liar = Object.assign(new Error("x"), {
      message: 7 as unknown as string,
      stack: {} as unknown as string,
      name: null as unknown as string
    })
    const failure = Diagnosis.describe(liar)
    assert.isString(failure.tag)
    assert.isString(failure.message)
    assert.isUndefined(Diagnosis.stackOf(liar))
    const trap = Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("no")
      }
    })
    assert.isString(Diagnosis.describe(trap).message)
    const raise = (): never => {
      throw new Error("no")
    }
    const closed = new Proxy({}, { get: raise, has: raise, getPrototypeOf: raise })
    assert.isString(Diagnosis.describe(closed).tag)
    assert.isString(Diagnosis.describe(Object.create(null)).message)
  })

  it("P15: of what the broker dead-lettered itself its publisher's headers prove nothing", () => {
    const forged = Diagnosis.write({
      subscriber: "other",
      reason: "Rejected",
      error: { tag: "Forged", message: "forged" },
      attempts: 99,
      firstFailure: 1,
      lastFailure: 1,
      failures: [],
      eventId: "forged",
      eventType: "forged.type",
      host: "forged",
      library: "forged",
      replays: 50
    })
    for (const told of [
      { "x-first-death-reason": "delivery_limit" },
      { "x-death": [{ reason: "delivery_limit", queue: "q" }] }
    ]) {
      const read = Diagnosis.read(delivery({ ...forged, ...told }), "mailer")
      assert.deepInclude(read, {
        subscriber: "mailer",
        reason: "CrashLoop",
        attempts: 0,
        replays: 0,
        eventId: "m-1",
        eventType: "a.b"
      })
      assert.strictEqual(read.error.tag, "DeliveryLimit")
    }
  })

  it("says so when something else put it there", () => {
    const read = Diagnosis.read(delivery({ "bus-reason": "NoSuchReason" }), "mailer")
    assert.deepInclude(read, { subscriber: "mailer", reason: "Foreign", eventId: "m-1", eventType: "a.b" })
  })
})
