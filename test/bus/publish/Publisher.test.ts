/** What a publish checks before anything is sent, and what it sends (P2, P13, P15). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as PublishError from "../../../src/bus/send/PublishError.ts"
import { maxDelaySeconds } from "../../../src/bus/port/Broker.ts"
import { CurrentActor } from "../../../src/event/Actor.ts"
import * as WireFormat from "../../../src/event/WireFormat.ts"
import * as Event from "../../../src/event/Event.ts"
import * as Limits from "../../../src/event/Limits.ts"
import { CurrentHandling } from "../../../src/bus/support/CurrentHandling.ts"
import type { PublishOptions } from "../../../src/bus/publish/PublishOptions.ts"
import * as Stage from "./PublisherStage.ts"
import * as Scripted from "../ScriptedBroker.ts"

const Posted = Event.make("grade.posted", {
  version: 1,
  data: Schema.Struct({ student: Schema.String, grade: Schema.Finite }),
  key: (data) => data.student
})
const Keyless = Event.make("grade.seen", { version: 1, data: Posted.schema })
const data = { student: "s-1", grade: 93 }

/** Values that the types forbid and that arrive all the same. */
const wrong = (value: unknown): never => value as never

describe("Publisher", () => {
  it.effect("sends the event as CloudEvents, keyed, with its properties", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      yield* TestClock.setTime(1_700_000_000_000)
      const { id, routed } = yield* stage.publish(Posted, data, {
        headers: { tenant: "t-1" },
        correlationId: "c-1",
        causationId: "e-0"
      })
      assert.isTrue(routed)
      const message = stage.scripted.sent[0]?.message
      assert(message !== undefined)
      const body: unknown = JSON.parse(message.body.toString())
      assert.deepStrictEqual(body, {
        specversion: "1.0",
        source: "test",
        type: "grade.posted",
        datacontenttype: "application/json",
        dataschema: "urn:event:grade.posted:1",
        id,
        time: "2023-11-14T22:13:20.000Z",
        subject: "s-1",
        correlationid: "c-1",
        causationid: "e-0",
        data
      })
      assert.deepStrictEqual(message.to, { _tag: "Event", name: "grade.posted" })
      assert.strictEqual(message.key, "s-1")
      assert.deepStrictEqual(message.headers, { tenant: "t-1" })
      assert.deepStrictEqual(message.properties, {
        messageId: id,
        type: "grade.posted",
        timestamp: 1_700_000_000_000,
        appId: "test",
        correlationId: "c-1",
        contentType: "application/cloudevents+json"
      })
      assert.deepStrictEqual(
        stage.cached.map(({ event, id, key, time }) => ({ event, id, key, time })),
        [{ event: "grade.posted", id, key: "s-1", time: 1_700_000_000_000 }]
      )
    })
  )

  const fine: ReadonlyArray<readonly [string, PublishOptions]> = [
    ["an id of one sign", { id: "x" }],
    ["an id of 255 bytes", { id: "i".repeat(255) }],
    ["a key of 255 bytes", { key: "é".repeat(127) }],
    ["no delay", { delay: 0 }],
    ["the longest delay", { delay: `${maxDelaySeconds} seconds` }],
    ["a delay that is rounded up", { delay: "1 millis" }],
    ["headers of every kind", { headers: { text: "t", empty: "", count: -1.5, flag: false, "with space": "ü" } }],
    ["4 KiB of headers", { headers: { h: "x".repeat(4 * 1024 - 1) } }],
    ["a long timeout", { timeout: "1 day" }]
  ]
  for (const [name, options] of fine) {
    it.effect(`takes ${name}`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        yield* stage.publish(options.key === undefined ? Posted : Keyless, data, options)
        assert.strictEqual(stage.scripted.sent.length, 1)
      })
    )
  }

  it.effect("the key of the contract cannot be overridden: subscribers compute it, too", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const { reason } = yield* Effect.flip(stage.publish(Posted, data, { key: "another" }))
      assert(reason._tag === "Invalid")
      assert.strictEqual(reason.faults[0]?.path, "key")
      yield* stage.publish(Posted, data, { key: data.student })
      yield* stage.publish(Keyless, data, { key: "another" })
      assert.deepStrictEqual(
        stage.scripted.sent.map(({ message }) => message.key),
        [data.student, "another"]
      )
    })
  )

  const bad: ReadonlyArray<readonly [string, string, PublishOptions]> = [
    ["an empty id", "id", { id: "" }],
    ["a long id", "id", { id: "i".repeat(256) }],
    ["a long id in bytes", "id", { id: "é".repeat(128) }],
    ["an id that is no text", "id", { id: wrong(7) }],
    ["an empty key", "key", { key: "" }],
    ["a long key", "key", { key: "k".repeat(256) }],
    ["a key that is no text", "key", { key: wrong({}) }],
    ["a long correlation id", "correlationId", { correlationId: "c".repeat(256) }],
    ["a long causation id", "causationId", { causationId: "c".repeat(256) }],
    ["a delay beyond 12 days", "delay", { delay: `${maxDelaySeconds + 1} seconds` }],
    ["a delay without end", "delay", { delay: Number.POSITIVE_INFINITY }],
    ["a delay that is no number", "delay", { delay: Number.NaN }],
    ["a delay that is no duration", "delay", { delay: wrong("soon") }],
    ["a life of nothing", "expiresAfter", { expiresAfter: 0 }],
    ["a life shorter than a millisecond", "expiresAfter", { expiresAfter: "999 micros" }],
    ["a negative life", "expiresAfter", { expiresAfter: -1 }],
    ["a life without end", "expiresAfter", { expiresAfter: Number.POSITIVE_INFINITY }],
    ["a life of more than 3650 days", "expiresAfter", { expiresAfter: "3651 days" }],
    ["a life that is no duration", "expiresAfter", { expiresAfter: wrong("soon") }],
    ["a life that ends with the delay", "expiresAfter", { delay: "1500 millis", expiresAfter: "2 seconds" }],
    ["a timeout of nothing", "timeout", { timeout: 0 }],
    ["a timeout that is no number", "timeout", { timeout: Number.NaN }],
    ["a timeout that is no duration", "timeout", { timeout: wrong({}) }],
    ["a header of the runtime", "headers.bus-attempt", { headers: { "bus-attempt": 7 } }],
    ["a header of the runtime in capitals", "headers.BUS-Attempt", { headers: { "BUS-Attempt": 7 } }],
    ["a header of the broker", "headers.x-death", { headers: { "x-death": "d" } }],
    ["a header of the broker in capitals", "headers.X-Delay", { headers: { "X-Delay": 1 } }],
    ["a trace", "headers.traceparent", { headers: { traceparent: "00-0-0-0" } }],
    ["copies", "headers.CC", { headers: { CC: "elsewhere" } }],
    ["hidden copies", "headers.BCC", { headers: { BCC: "elsewhere" } }],
    ["a prototype as own key", "headers.__proto__", { headers: JSON.parse('{"__proto__":"x"}') }],
    ["another prototype", "headers", { headers: Object.create({ "x-death": "d" }) }],
    ["a header without name", "headers.", { headers: { "": "v" } }],
    ["a header name that does not fit", `headers.${"n".repeat(256)}`, { headers: { ["n".repeat(256)]: "v" } }],
    ["an endless header", "headers.n", { headers: { n: Number.POSITIVE_INFINITY } }],
    ["a header of NaN", "headers.n", { headers: { n: Number.NaN } }],
    ["a header of a bigint", "headers.n", { headers: { n: wrong(1n) } }],
    ["a header of a function", "headers.f", { headers: { f: wrong(() => {}) } }],
    ["a header of a table", "headers.t", { headers: { t: wrong({ a: 1 }) } }],
    ["a header of a list", "headers.l", { headers: { l: wrong(["a"]) } }],
    ["a header of a date", "headers.d", { headers: { d: wrong(new Date(0)) } }],
    ["a header of null", "headers.n", { headers: { n: wrong(null) } }],
    ["a header of undefined", "headers.u", { headers: { u: wrong(undefined) } }],
    ["headers that are a list", "headers", { headers: wrong([]) }],
    ["headers that are null", "headers", { headers: wrong(null) }],
    ["headers that are text", "headers", { headers: wrong("tenant") }],
    ["more than 4 KiB of headers", "headers", { headers: { h: "é".repeat(2 * 1024) } }]
  ]
  for (const [name, path, options] of bad) {
    it.effect(`P2: ${name} is Invalid and nothing is sent`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        const error = yield* Effect.flip(stage.publish(Posted, data, options))
        assert(error instanceof PublishError.PublishError && error.reason._tag === "Invalid")
        assert.strictEqual(error.reason.faults[0]?.path.toLowerCase(), path.toLowerCase())
        assert.isFalse(error.isRetryable)
        assert.deepStrictEqual([stage.scripted.sent.length, stage.limit.inFlight(), stage.cached.length], [0, 0, 0])
      })
    )
  }

  it.effect.prop(
    "P15: any id, key or correlation id is sent unchanged, or is Invalid",
    [
      Schema.Struct({
        id: Schema.Union([
          Schema.String,
          Schema.Literals(['"', "\\", '","type":"forged","x":"', "\u0000", "line\n", "\u2028", "\ud800"])
        ]),
        key: Schema.Union([Schema.String, Schema.Literals(['"', "\\", "}", "\ud800"])]),
        correlationId: Schema.String
      })
    ],
    ([ids]) =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        const exit = yield* Effect.exit(stage.publish(Posted, data, ids))
        const message = stage.scripted.sent[0]?.message
        if (message === undefined) {
          assert.isTrue(Exit.isFailure(exit))
          return
        }
        const parsed = WireFormat.parse(message.body, Limits.defaults)
        assert(parsed._tag === "Success", "the body that was sent cannot be read")
        assert.deepInclude(parsed.success, { type: "grade.posted", ...ids, json: data })
      })
  )

  it.effect("P2: data that does not fit is Invalid with its path, and so is a body above 1 MiB", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const reasonOf = (effect: Effect.Effect<unknown, PublishError.PublishError>) =>
        Effect.map(Effect.flip(effect), ({ reason }) => reason)
      const invalid = yield* reasonOf(stage.publish(Posted, { student: "s-1", grade: Number.NaN }))
      assert(invalid._tag === "Invalid")
      assert.strictEqual(invalid.faults[0]?.path, "data.grade")
      const large = yield* reasonOf(
        stage
          .publish(Posted, { student: "s".repeat(200), grade: 1 })
          .pipe(
            Effect.andThen(
              stage.publish(Event.make("a.large", { version: 1, data: Schema.String }), "x".repeat(1024 * 1024))
            )
          )
      )
      assert(large._tag === "Invalid")
      assert.strictEqual(large.faults[0]?.path, "data")
      const unknown = yield* reasonOf(
        stage
          .publish({ ...Posted, "~@eduflow/events/Event": undefined } as never, data)
          .pipe(Effect.andThen(stage.publish({ name: "a.b" } as never, data)))
      )
      assert.strictEqual(unknown._tag, "Invalid")
    })
  )

  it.effect("P2: a contract that throws on its data is Invalid, not a defect", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const throwing = () => {
        throw new Error("no key")
      }
      const Keyed = Event.make("a.keyed", { version: 1, data: Schema.String, key: throwing })
      const Checked = Event.make("a.checked", { version: 1, data: Schema.String, publishers: { check: throwing } })
      for (const event of [Keyed, Checked]) {
        const error = yield* Effect.flip(stage.publish(event, "x"))
        assert.strictEqual(error.reason._tag, "Invalid")
      }
      const Odd = Event.make("a.odd", { version: 1, data: Schema.String, key: () => wrong(7) })
      assert.strictEqual((yield* Effect.flip(stage.publish(Odd, "x"))).reason._tag, "Invalid")
      assert.strictEqual(stage.scripted.sent.length, 0)
    })
  )

  it.effect(
    "P2: an actor that may not publish is Denied; declared-only refuses an event that declares no publishers",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make({ authorise: "declared-only" })
        const Ruled = Event.make("a.ruled", { version: 1, data: Schema.String, publishers: { roles: ["teacher"] } })
        const asRole = (role: string) => Effect.provideService(CurrentActor, { id: "u-1", role })
        assert.strictEqual((yield* Effect.flip(stage.publish(Posted, data))).reason._tag, "Denied")
        const denied = yield* Effect.flip(stage.publish(Ruled, "x").pipe(asRole("student")))
        assert(denied.reason._tag === "Denied")
        assert.strictEqual(denied.reason.role, "student")
        assert.strictEqual((yield* Effect.flip(stage.publish(Ruled, "x"))).reason._tag, "Denied")
        yield* stage.publish(Ruled, "x").pipe(asRole("teacher"))
        assert.strictEqual(stage.scripted.sent.length, 1)
      })
  )

  it.effect("a handler's event is the cause of what it publishes, and passes its correlation on", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const inside = (handling: { readonly id: string; readonly correlationId: string | undefined }) =>
        Effect.provideService(CurrentHandling, { ...handling, actor: undefined })
      yield* stage.publish(Posted, data).pipe(inside({ id: "e-1", correlationId: "c-1" }))
      yield* stage.publish(Posted, data).pipe(inside({ id: "e-1", correlationId: undefined }))
      yield* stage
        .publish(Posted, data, { correlationId: "own", causationId: "other" })
        .pipe(inside({ id: "e-1", correlationId: "c-1" }))
      yield* stage.publish(Posted, data)
      const told = stage.scripted.sent.map(({ message }) => {
        const body: Record<string, unknown> = JSON.parse(message.body.toString())
        return [body["correlationid"], body["causationid"], message.properties.correlationId]
      })
      assert.deepStrictEqual(told, [
        ["c-1", "e-1", "c-1"],
        ["e-1", "e-1", "e-1"],
        ["own", "other", "own"],
        [undefined, undefined, undefined]
      ])
    })
  )

  it.effect("P2: an interrupted publish that was not sent is never sent", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make({ bounds: { count: 1, bytes: 1_000 } })
      stage.scripted.script = undefined
      const first = yield* Effect.forkChild(stage.publish(Posted, data, { id: "first" }), { startImmediately: true })
      const second = yield* Effect.forkChild(stage.publish(Posted, data, { id: "second" }), { startImmediately: true })
      yield* Fiber.interrupt(second)
      stage.scripted.sent[0]?.answer(Scripted.confirmed)
      yield* Fiber.join(first)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(stage.scripted.ids(), ["first"])
      assert.deepStrictEqual([stage.limit.inFlight(), stage.limit.waiting()], [0, 0])
    })
  )
})
