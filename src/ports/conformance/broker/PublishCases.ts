/** The outcome of a publish, and what arrives of it: confirmed means stored (P1), every publish has one outcome (P2). */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { assert } from "../Assert.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { CurrentActor } from "../../../event/Actor.ts"
import { until } from "../setup/Waiting.ts"
import * as Event from "../../../event/Event.ts"
import type * as Envelope from "../../../event/Envelope.ts"

export const publishCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "P2, PUB8, PUB24: an event without a subscriber is confirmed and not routed, or Unroutable if that matters",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Happened = numbered()
        const { routed } = yield* bus.publish(Happened, { n: 1 })
        assert.isFalse(routed)
        const error = yield* Effect.flip(bus.publish(Happened, { n: 1 }, { mandatory: true }))
        assert.strictEqual(error.reason._tag, "Unroutable")
        const ledger = makeLedger()
        yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
        assert.isTrue((yield* bus.publish(Happened, { n: 2 })).routed)
        assert.isTrue((yield* bus.publish(Happened, { n: 3 }, { mandatory: true })).routed)
        yield* ledger.reaches(2)
        assert.deepStrictEqual(ledger.sorted(), [2, 3])
      })
  ),
  brokerCase("an event arrives as it was published: data, ids, key, actor, headers, time", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Data = Schema.Struct({
        text: Schema.String,
        list: Schema.Array(Schema.Finite),
        when: Schema.DateTimeUtcFromString,
        none: Schema.Null
      })
      const Rich = Event.make(fresh("rich"), { version: 1, data: Data, key: (data) => data.text.slice(0, 10) })
      const got = yield* Deferred.make<{ readonly event: Envelope.Of<typeof Rich>; readonly headers: unknown }>()
      yield* bus.subscribe(fresh(), {
        events: [Rich],
        handler: (event, { headers }) => Deferred.succeed(got, { event, headers })
      })
      const data = yield* Schema.decodeEffect(Data)({
        text: 'grüße ☃ 🎓 \u2028 "quoted" \\ \u0000',
        list: [0, -1.5, 1e-7, 2 ** 53],
        when: "2026-01-02T03:04:05.006Z",
        none: null
      })
      const headers = { tenant: "t-1", count: 3, share: 0.25, flag: true, empty: "", "with space": "ü" }
      const before = Date.now()
      const { id } = yield* bus
        .publish(Rich, data, { correlationId: "c-1", causationId: "e-0", headers })
        .pipe(Effect.provideService(CurrentActor, { id: "u-1", role: "teacher", status: "active" }))
      const { event, headers: received } = yield* Deferred.await(got)
      assert.deepStrictEqual(event.data, data)
      assert.deepInclude(event, {
        id,
        type: Rich.name,
        version: 1,
        source: "suite",
        key: "grüße ☃ 🎓",
        correlationId: "c-1",
        causationId: "e-0",
        actor: { id: "u-1", role: "teacher", status: "active" }
      })
      assert.deepStrictEqual(received, headers)
      assert.isTrue(event.time.getTime() >= before && event.time.getTime() <= Date.now())
    })
  ),
  brokerCase("an empty text and nearly a MiB arrive; more than a MiB is Invalid before anything is sent", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Text = Event.make(fresh("text"), { version: 1, data: Schema.String, cache: false })
      const lengths: Array<number> = []
      yield* bus.subscribe(fresh(), {
        events: [Text],
        handler: (event) => Effect.sync(() => void lengths.push(event.data.length))
      })
      const largest = 1024 * 1024 - 1024
      yield* bus.publish(Text, "")
      yield* bus.publish(Text, "x".repeat(largest))
      for (const text of ["x".repeat(1024 * 1024), "ü".repeat(512 * 1024)]) {
        assert.strictEqual((yield* Effect.flip(bus.publish(Text, text))).reason._tag, "Invalid")
      }
      // A failed publish does not affect the next one.
      yield* bus.publish(Text, "after")
      yield* until(
        () => `${lengths}`,
        () => lengths.length >= 3
      )
      assert.deepStrictEqual(
        lengths.toSorted((a, b) => a - b),
        [0, 5, largest]
      )
    })
  ),
  brokerCase("publishAll keeps the order and returns the number; its error says where it stopped", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Changed], ordering: "key", handler: ledger.handler })
      const items = upTo(300).map((n) => ({ n, k: "one" }))
      assert.strictEqual(yield* bus.publishAll(Changed, items), 300)
      const error = yield* Effect.flip(
        bus.publishAll(Changed, [
          { n: 300, k: "one" },
          { n: Number.NaN, k: "one" },
          { n: 999, k: "one" }
        ])
      )
      assert.deepStrictEqual([error.confirmed, error.next, error.failures[0]?.index], [1, 2, 1])
      yield* bus.publish(Changed, { n: 301, k: "one" })
      yield* until(
        () => `${ledger.entries.length}`,
        () => ledger.numbers().includes(301)
      )
      assert.deepStrictEqual(ledger.numbers(), upTo(302))
    })
  ),
  brokerCase("publishAll over a source that fails publishes what came before, and its error says how many", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      const broken = new Error("the cursor was closed")
      function* cursor() {
        yield* numbers(1_000)
        throw broken
      }
      const stream = Stream.concat(Stream.fromIterable(numbers(100, 1_000)), Stream.fail(broken))
      for (const [source, count] of [
        [cursor(), 1_000],
        [stream, 100]
      ] as const) {
        const error = yield* Effect.flip(bus.publishAll(Happened, source))
        assert.deepStrictEqual([error.confirmed, error.next, error.failures.length], [count, count, 0])
        assert.isTrue(error.cause === broken)
      }
      yield* ledger.reaches(1_100)
    })
  ),
  brokerCase("an event that a handler publishes has its event as the cause and the same correlation", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const [First, Second, Third] = [numbered(), numbered(), numbered()]
      const seen = new Map<string, Envelope.Envelope>()
      const note = (event: Envelope.Envelope) => Effect.sync(() => void seen.set(event.type, event))
      yield* bus.subscribe(fresh(), {
        events: [First],
        handler: (event) => Effect.andThen(note(event), bus.publish(Second, event.data))
      })
      yield* bus.subscribe(fresh(), {
        events: [Second],
        handler: (event) => Effect.andThen(note(event), bus.publish(Third, event.data))
      })
      yield* bus.subscribe(fresh(), { events: [Third], handler: note })
      const { id } = yield* bus.publish(First, { n: 1 })
      yield* until(
        () => `${seen.size} of 3`,
        () => seen.size === 3
      )
      const [first, second, third] = [First, Second, Third].map(({ name }) => seen.get(name))
      assert.deepStrictEqual([first?.correlationId, first?.causationId], [undefined, undefined])
      assert.deepStrictEqual([second?.correlationId, second?.causationId], [id, id])
      assert.deepStrictEqual([third?.correlationId, third?.causationId], [id, second?.id])
    })
  ),
  brokerCase("P2, N38: a publish that the contract does not allow is Denied and reaches no subscriber", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Ruled = Event.make(fresh("ruled"), {
        version: 1,
        data: Schema.Struct({ n: Schema.Finite, by: Schema.String }),
        publishers: { roles: ["teacher"], statuses: ["active"], check: (actor, data) => actor.id === data.by }
      })
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Ruled], handler: ledger.handler })
      const as = (role: string, status: string, id = "u-1") => Effect.provideService(CurrentActor, { id, role, status })
      for (const actor of [as("student", "active"), as("teacher", "suspended"), as("teacher", "active", "u-2")]) {
        const error = yield* Effect.flip(bus.publish(Ruled, { n: 1, by: "u-1" }).pipe(actor))
        assert.strictEqual(error.reason._tag, "Denied")
        assert.isFalse(error.isRetryable)
      }
      assert.strictEqual((yield* Effect.flip(bus.publish(Ruled, { n: 1, by: "u-1" }))).reason._tag, "Denied")
      yield* bus.publish(Ruled, { n: 2, by: "u-1" }).pipe(as("teacher", "active"))
      yield* ledger.reaches(1)
      assert.deepStrictEqual(ledger.numbers(), [2])
    })
  ),
  brokerCase("P2, N38: with authorise declared-only, a contract without publishers is Denied", ({ connect }) =>
    Effect.gen(function* () {
      const { bus } = yield* start(connect({ authorise: "declared-only" }))
      const Ruled = Event.make(fresh("ruled"), { version: 1, data: Schema.String, publishers: { roles: ["service"] } })
      assert.strictEqual((yield* Effect.flip(bus.publish(numbered(), { n: 1 }))).reason._tag, "Denied")
      assert.isFalse((yield* bus.publish(Ruled, "x")).routed)
    })
  ),
  brokerCase("PUB20, PUB21: publishing one id twice gives two deliveries: a publish is not deduplicated", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      yield* Effect.forEach([1, 2, 3], (n) => bus.publish(Happened, { n }, { id: "same" }), {
        concurrency: "unbounded"
      })
      yield* ledger.reaches(3)
      assert.deepStrictEqual(
        ledger.entries.map(({ event }) => event.id),
        ["same", "same", "same"]
      )
    })
  ),
  brokerCase("P4: after a confirm the cache of this process has the event and its history", () =>
    Effect.gen(function* () {
      const { bus, cache } = yield* shared
      const Changed = keyed()
      for (const n of [1, 2, 3]) yield* bus.publish(Changed, { n, k: n === 2 ? "b" : "a" })
      const last = Option.getOrThrow(yield* cache.last(Changed, "a"))
      assert.deepStrictEqual([last.data, last.key], [{ n: 3, k: "a" }, "a"])
      assert.deepStrictEqual(Option.getOrThrow(yield* cache.last(Changed, "b")).data, { n: 2, k: "b" })
      assert.deepStrictEqual(
        (yield* cache.history(Changed)).map(({ data }) => data.n),
        [3, 2, 1]
      )
      yield* Effect.flip(bus.publish(Changed, { n: Number.NaN, k: "a" }))
      yield* bus.publish(Changed, { n: 9, k: "a" }, { delay: "2 seconds" })
      assert.strictEqual(Option.getOrThrow(yield* cache.last(Changed, "a")).data.n, 3)
    })
  ),
  brokerCase("many publishes at once through an in-flight limit of one are all confirmed", ({ connect }) =>
    Effect.gen(function* () {
      const { bus } = yield* start(connect({ inFlight: { count: 1 } }))
      const ledger = makeLedger()
      const Happened = numbered()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      // One after the other, on a machine that may be busy: the deadline of a publish is not what this shows.
      const publish = (data: { readonly n: number }) => bus.publish(Happened, data, { timeout: "5 minutes" })
      yield* Effect.forEach(numbers(200), publish, { concurrency: "unbounded" })
      yield* ledger.reaches(200)
      // A busy machine may lose its connection meanwhile: an event that comes twice has one id.
      yield* until(
        () => `${new Set(ledger.sorted()).size} of 200`,
        () => new Set(ledger.sorted()).size === 200
      )
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(200))
      assert.strictEqual(new Set(ledger.entries.map(({ event }) => event.id)).size, 200)
    })
  ),
  brokerCase("a handler runs in the trace of its publisher, and its own publishes stay in it", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const [First, Second] = [numbered(), numbered()]
      const traces: Array<string> = []
      const note = Effect.map(Effect.currentParentSpan, ({ traceId }) => void traces.push(traceId))
      yield* bus.subscribe(fresh(), {
        events: [First],
        retry: Schedule.spaced("1 second"),
        handler: (event, { attempt }) =>
          Effect.gen(function* () {
            yield* note
            if (attempt === 1) return yield* Effect.fail("once")
            yield* bus.publish(Second, event.data)
          })
      })
      yield* bus.subscribe(fresh(), { events: [Second], handler: () => note })
      const parent = Tracer.externalSpan({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" })
      yield* bus.publish(First, { n: 1 }).pipe(Effect.withParentSpan(parent))
      yield* until(
        () => `${traces.length} of 3`,
        () => traces.length === 3
      )
      assert.deepStrictEqual(traces, [parent.traceId, parent.traceId, parent.traceId])
    })
  )
]
