/** What a publish checks before anything is sent, and what it sends (P2, P13, P15). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as BusError from "../../src/bus/BusError.ts"
import { maxDelaySeconds } from "../../src/bus/Broker.ts"
import { CurrentActor } from "../../src/event/Actor.ts"
import * as Codec from "../../src/event/Codec.ts"
import * as Event from "../../src/event/Event.ts"
import * as Limits from "../../src/event/Limits.ts"
import { CurrentHandling } from "../../src/bus/Handling.ts"
import type { PublishOptions } from "../../src/bus/PublishOptions.ts"
import * as Stage from "./PublisherStage.ts"
import * as Scripted from "./ScriptedBroker.ts"

const Posted = Event.make("grade.posted", {
  version: 1,
  data: Schema.Struct({ student: Schema.String, grade: Schema.Finite }),
  key: (data) => data.student
})
const data = { student: "s-1", grade: 93 }

/** Values that no type allows and that come all the same. */
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
        yield* stage.publish(Posted, data, options)
        assert.strictEqual(stage.scripted.sent.length, 1)
      })
    )
  }

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
        assert(error instanceof BusError.PublishError && error.reason._tag === "Invalid")
        assert.strictEqual(error.reason.faults[0]?.path.toLowerCase(), path.toLowerCase())
        assert.isFalse(error.isRetryable)
        assert.deepStrictEqual([stage.scripted.sent.length, stage.door.inFlight(), stage.cached.length], [0, 0, 0])
      })
    )
  }

  it.effect.prop(
    "P15: whatever an id, a key or a correlation id is, it comes out as it went in, or it is Invalid",
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
        const parsed = Codec.parse(message.body, Limits.defaults)
        assert(parsed._tag === "Success", "the body that was sent cannot be read")
        assert.deepInclude(parsed.success, { type: "grade.posted", ...ids, json: data })
      })
  )

  it.effect("P2: data that does not fit is Invalid with its path, and so is a body above 1 MiB", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const reasonOf = (effect: Effect.Effect<unknown, BusError.PublishError>) =>
        Effect.map(Effect.flip(effect), ({ reason }) => reason)
      const invalid = yield* reasonOf(stage.publish(Posted, { student: "s-1", grade: Number.NaN }))
      assert(invalid._tag === "Invalid")
      assert.strictEqual(invalid.faults[0]?.path, "data.grade")
      const large = yield* reasonOf(
        stage
          .publish(Posted, { student: "s".repeat(200), grade: 1 }, { key: "k" })
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

  it.effect("P2: who may not publish is Denied; declared-only refuses what declares nothing", () =>
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
        Effect.provideService(CurrentHandling, handling)
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

  it.effect("N28: a delayed event is sent to wait, and is not cached yet", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      const { routed } = yield* stage.publish(Posted, data, { delay: "1500 millis" })
      assert.strictEqual(routed, "later")
      assert.deepStrictEqual(stage.scripted.sent[0]?.message.to, {
        _tag: "DelayedEvent",
        name: "grade.posted",
        seconds: 2
      })
      assert.strictEqual(stage.cached.length, 0)
    })
  )

  it.effect("N28: what was not confirmed is not cached; what reached nobody is", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make()
      stage.scripted.script = () => Scripted.unrouted
      assert.isFalse((yield* stage.publish(Posted, data)).routed)
      assert.strictEqual(
        (yield* Effect.flip(stage.publish(Posted, data, { mandatory: true }))).reason._tag,
        "Unroutable"
      )
      assert.strictEqual(stage.cached.length, 1)
      const Uncached = Event.make("a.uncached", { version: 1, data: Schema.String, cache: false })
      yield* stage.publish(Uncached, "x")
      assert.strictEqual(stage.cached.length, 1)
    })
  )

  it.effect("P2: an interrupted publish that was not sent never is", () =>
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
      assert.deepStrictEqual([stage.door.inFlight(), stage.door.waiting()], [0, 0])
    })
  )

  describe("publishAll", () => {
    const grades = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ({ student: "s-1", grade: from + i }))
    const sentGrades = (stage: { readonly scripted: Scripted.ScriptedBroker }) =>
      stage.scripted.sent.map(
        ({ message }) =>
          (JSON.parse(message.body.toString()) as { readonly data: { readonly grade: number } }).data.grade
      )

    it.effect("sends all in order, of a list or a Stream, and answers their number", () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        assert.strictEqual(yield* stage.publishAll(Posted, grades(0, 2_000)), 2_000)
        assert.strictEqual(yield* stage.publishAll(Posted, Stream.fromIterable(grades(2_000, 3_000))), 1_000)
        assert.strictEqual(yield* stage.publishAll(Posted, []), 0)
        assert.deepStrictEqual(
          sentGrades(stage),
          grades(0, 3_000).map(({ grade }) => grade)
        )
      })
    )

    it.effect("stops at the first failure and says where nothing was sent from", () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        const items = [...grades(0, 3), { student: "", grade: 3 }, ...grades(4, 10)]
        const error = yield* Effect.flip(stage.publishAll(Posted, items))
        assert.strictEqual(error.confirmed, 3)
        assert.strictEqual(error.next, 4)
        assert.deepStrictEqual(
          error.failures.map(({ error, index }) => [index, error.reason._tag]),
          [[3, "Invalid"]]
        )
        assert.deepStrictEqual(sentGrades(stage), [0, 1, 2])
      })
    )

    it.effect("what was in flight when one failed is awaited and counted", () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        stage.scripted.script = undefined
        const fiber = yield* Effect.forkChild(
          Effect.flip(stage.publishAll(Posted, [...grades(0, 3), { student: "", grade: 3 }])),
          { startImmediately: true }
        )
        assert.isUndefined(fiber.pollUnsafe())
        for (const sent of stage.scripted.sent) sent.answer(Scripted.confirmed)
        const error = yield* Fiber.join(fiber)
        assert.deepStrictEqual([error.confirmed, error.next], [3, 4])
      })
    )

    it.effect("has a bounded number on the way", () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make()
        stage.scripted.script = undefined
        const fiber = yield* Effect.forkChild(stage.publishAll(Posted, grades(0, 5_000)), { startImmediately: true })
        assert.isAtMost(stage.scripted.sent.length, 1_000)
        stage.scripted.script = () => Scripted.confirmed
        for (const sent of stage.scripted.sent.slice()) sent.answer(Scripted.confirmed)
        assert.strictEqual(yield* Fiber.join(fiber), 5_000)
      })
    )
  })
})
