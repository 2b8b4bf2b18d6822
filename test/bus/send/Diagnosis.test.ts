/** What a dead letter says of itself: complete, bounded, and believed only from the runtime. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as BrokerDeath from "../../../src/bus/send/BrokerDeath.ts"
import * as Diagnosis from "../../../src/bus/send/Diagnosis.ts"
import * as RuntimeHeaders from "../../../src/bus/send/RuntimeHeaders.ts"
import { bytesOf, Count, delivery, Maybe, PastFailure } from "./HeaderSamples.ts"

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
    "UnknownType",
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

const readFrom = (headers: Readonly<Record<string, unknown>>, subscriber = "mailer"): Diagnosis.Diagnosis =>
  Diagnosis.read(delivery(headers), subscriber, BrokerDeath.of(headers))

describe("Diagnosis", () => {
  it.prop("P8: survives a round trip, with texts shortened at most", { diagnosis: Whatever }, ({ diagnosis }) => {
    const read = readFrom(Diagnosis.write(diagnosis), "someone else")
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
    let edits: ReadonlyArray<RuntimeHeaders.PastEdit> = []
    for (let at = 1; at <= 9; at++)
      edits = RuntimeHeaders.addEdit(edits, { at, paths: Array.from({ length: 20 }, () => "学".repeat(9_000)) })
    assert.strictEqual(edits.at(-1)?.at, 9)
    const long = "🎓".repeat(20_000)
    const headers = Diagnosis.write({
      edits,
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
    assert.include(Diagnosis.stackOf(new Error("x")), "Diagnosis.test")
  })

  it("describes errors whose fields are not what they should be", () => {
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

  it("P15: the publisher's headers are not believed on what the broker dead-lettered itself", () => {
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
      const read = readFrom({ ...forged, ...told })
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

  it("P8: what the broker dead-lettered names its reason and its time", () => {
    const time = { "!": "timestamp", value: 1_795_924_527 }
    const death = (reason: string) => ({ "x-death": [{ reason, queue: "q", time }], "bus-reason": "Rejected" })
    for (const [reason, name, tag, words] of [
      ["delivery_limit", "CrashLoop", "DeliveryLimit", /delivery limit/],
      ["expired", "Expired", "Expired", /time to live/],
      ["maxlen", "QueueFull", "LengthLimit", /length limit/],
      ["rejected", "LetterRefused", "LetterRefused", /max_message_size/],
      ["bored", "Foreign", "DeadLettered", /for a reason of its own: bored/]
    ] as const) {
      const read = readFrom(death(reason))
      assert.deepInclude(read, { reason: name, lastFailure: 1_795_924_527_000, attempts: 0 })
      assert.strictEqual(read.error.tag, tag)
      assert.match(read.error.message, words)
      assert.notInclude(read.error.message, "something other than this library")
    }
  })

  it("P15: the broker's own entry decides, not the texts beside it that a publisher can send", () => {
    const forged = { "x-first-death-reason": "maxlen", "x-last-death-reason": "maxlen" }
    const deaths = [{ reason: "delivery_limit", queue: "q" }, { reason: "expired" }]
    assert.strictEqual(readFrom({ ...forged, "x-death": deaths }).reason, "CrashLoop")
  })

  it("says so when another program put it there", () => {
    const read = readFrom({ "bus-reason": "NoSuchReason" })
    assert.deepInclude(read, { subscriber: "mailer", reason: "Foreign", eventId: "m-1", eventType: "a.b" })
  })
})
