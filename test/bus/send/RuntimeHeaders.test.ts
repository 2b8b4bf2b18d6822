/** What the runtime writes in the headers of a message is read back unchanged, within its bounds (P8, P13, P15). */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as RuntimeHeaders from "../../../src/bus/send/RuntimeHeaders.ts"
import { bytesOf, Count, delivery, Maybe, PastFailure } from "./HeaderSamples.ts"

const Progress = Schema.Struct({
  attempt: Schema.Literals([1, 2, 7, 1_000_000]),
  firstFailure: Maybe,
  failures: Schema.Array(PastFailure).check(Schema.isMaxLength(RuntimeHeaders.keptFailures)),
  postponed: Count,
  postponedSince: Maybe,
  unknown: Count,
  unknownSince: Maybe,
  returns: Count,
  due: Maybe,
  replays: Count,
  replayId: Schema.UndefinedOr(Schema.String),
  firstSpan: Schema.UndefinedOr(Schema.String.check(Schema.isMaxLength(55))),
  edits: Schema.Array(
    Schema.Struct({
      at: Count,
      paths: Schema.Array(Schema.String.check(Schema.isMaxLength(RuntimeHeaders.keptPaths.length))).check(
        Schema.isMaxLength(RuntimeHeaders.keptPaths.count)
      )
    })
  ).check(Schema.isMaxLength(RuntimeHeaders.keptEdits))
})

describe("RuntimeHeaders", () => {
  it.prop("round trip", { progress: Progress }, ({ progress }) => {
    assert.deepStrictEqual(RuntimeHeaders.parse(RuntimeHeaders.write(progress)), progress)
  })

  it("a fresh event carries none", () => {
    assert.deepStrictEqual(RuntimeHeaders.write(RuntimeHeaders.fresh), {})
    assert.deepStrictEqual(RuntimeHeaders.parse({}), RuntimeHeaders.fresh)
  })

  it("P15, N26: are believed only on deliveries that the runtime sent", () => {
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

  it("P13: the history is bounded whatever failed: long tags, characters that JSON writes in six bytes", () => {
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
      tracestate: "s".repeat(5_000),
      baggage: "cohort=2026;ttl=30"
    }
    assert.deepStrictEqual(RuntimeHeaders.userHeaders(delivery(headers)), { tenant: "t-1", count: 3, flag: false })
    const trace = RuntimeHeaders.contextHeaders(delivery(headers))
    assert.strictEqual(trace["traceparent"], headers.traceparent)
    assert.strictEqual(String(trace["tracestate"]).length, 512)
    assert.strictEqual(trace["baggage"], headers.baggage)
  })

  it("a copy keeps trace context in bytes, and the attributes of an event in binary mode, as texts", () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    const received = delivery({
      traceparent: Buffer.from(traceparent),
      tenant: "t-1",
      other: Buffer.from("dropped"),
      "cloudEvents:id": Buffer.from("e-1"),
      "cloudEvents:time": { "!": "timestamp", value: 1_772_600_767 },
      "ce-source": "/s",
      "cloudEvents:nested": { a: 1 }
    })
    const attributes = {
      "cloudEvents:id": "e-1",
      "cloudEvents:time": "2026-03-04T05:06:07.000Z",
      "ce-source": "/s"
    }
    assert.deepStrictEqual(RuntimeHeaders.contextHeaders(received), { traceparent })
    assert.deepStrictEqual(RuntimeHeaders.userHeaders(received), { tenant: "t-1", ...attributes })
    assert.deepStrictEqual(RuntimeHeaders.eventHeaders(received), attributes)
  })
})
