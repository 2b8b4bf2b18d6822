/** What flows with events on the embedded bus: who may publish, batches, hooks, options that are wrong, and what stays out of the log. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References, Schedule, Schema } from "effect"
import {
  Around,
  Baggage,
  Batch,
  CurrentActor,
  CurrentBaggage,
  CurrentTenant,
  DeadLetters,
  Event,
  EventBus,
  type PublishOptions,
  Reject,
  Subscriber
} from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"
import { recordedLog } from "../support/RecordedLog.ts"

const N = Schema.Struct({ n: Schema.Finite })
const First = Event.make("flow.first", { version: 1, data: N })
const Second = Event.make("flow.second", { version: 1, data: N })
const ByTeachers = Event.make("flow.graded", { version: 1, data: N, publishers: { roles: ["teacher"] } })
const ByServices = Event.make("flow.counted", { version: 1, data: N, publishers: { roles: ["service"] } })

const teacher = { id: "u-1", role: "teacher" }
const student = { id: "u-2", role: "student" }

/** What each event was handled with. */
const seeing = (seen: Array<unknown>, ...events: ReadonlyArray<typeof First | typeof Second | typeof ByServices>) =>
  Subscriber.layer("flow.seen", {
    events,
    handler: ({ actor, data, tenant }, { baggage }) =>
      Effect.sync(() => seen.push([data.n, tenant, actor?.id, baggage?.text]))
  })

const settled = Effect.flatMap(TestBus, (bus) => bus.settle)
const sorted = (seen: ReadonlyArray<unknown>) => seen.map((one) => JSON.stringify(one)).toSorted()

describe("what flows with events", () => {
  it.effect(
    "the actor of an event neither gives its handler rights nor takes them, and goes on with what it may",
    () => {
      const seen: Array<unknown> = []
      const outcomes: Array<unknown> = []
      const Reacting = Subscriber.layer("flow.reacting", {
        events: [First],
        handler: ({ data: { n } }) =>
          Effect.gen(function* () {
            const bus = yield* EventBus
            const tell = (name: string, publish: ReturnType<typeof bus.publish>) =>
              Effect.map(Effect.result(publish), ({ _tag }) => outcomes.push(`${name}: ${_tag}`))
            yield* tell("as the event claims", bus.publish(ByTeachers, { n }))
            yield* tell("by option", bus.publish(ByTeachers, { n }, { actor: teacher }))
            yield* tell("by service", bus.publish(ByTeachers, { n }).pipe(Effect.provideService(CurrentActor, teacher)))
            yield* tell("the service itself", bus.publish(ByServices, { n }))
            yield* tell("a student", bus.publish(ByServices, { n }, { actor: student }))
          })
      })
      return Effect.gen(function* () {
        const bus = yield* EventBus
        yield* bus.publish(First, { n: 1 }, { actor: teacher })
        yield* settled
        yield* bus.publish(First, { n: 2 }, { actor: student })
        yield* settled
        const expected = [
          "as the event claims: Failure",
          "by option: Success",
          "by service: Success",
          "the service itself: Success",
          "a student: Failure"
        ]
        assert.deepStrictEqual(outcomes, [...expected, ...expected])
        assert.deepStrictEqual(seen, [
          [1, undefined, "u-1", undefined],
          [2, undefined, "u-2", undefined]
        ])
      }).pipe(Effect.provide(Layer.merge(seeing(seen, ByServices), Reacting).pipe(Layer.provideMerge(TestBus.layer))))
    }
  )

  it.effect("a batch passes on what all of its events have, and `Batch.each` what each of them has", () => {
    const seen: Array<unknown> = []
    const batched = (name: string, event: Event.Event<string, typeof N.Type>, each: boolean) =>
      Subscriber.layer(name, {
        events: [event],
        batch: { size: 3, maxWait: "1 second" },
        handler: (events) =>
          Effect.gen(function* () {
            const bus = yield* EventBus
            if (each) return yield* Batch.each(events, ({ data: { n } }) => bus.publish(Second, { n }))
            yield* bus.publish(Second, { n: events.reduce((sum, { data }) => sum + data.n, 0) })
          })
      })
    const Mixed = Event.make("flow.mixed", { version: 1, data: N })
    const Each = Event.make("flow.each", { version: 1, data: N })
    const options = (tenant: string, cohort: string): PublishOptions => ({
      tenant,
      actor: { id: tenant, role: "r" },
      baggage: { cohort }
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      for (const n of [1, 2, 3]) yield* bus.publish(First, { n }, options("a", "x"))
      for (const n of [10, 20]) yield* bus.publish(Mixed, { n }, options("a", "x"))
      yield* bus.publish(Mixed, { n: 30 }, { tenant: "a", baggage: { cohort: "y" } })
      yield* bus.publish(Each, { n: 100 }, options("a", "x"))
      yield* bus.publish(Each, { n: 200 }, options("b", "y"))
      yield* bus.publish(Each, { n: 300 })
      yield* settled
      const expected = [
        // A consumer begins with one delivery.
        [1, "a", "a", "cohort=x"],
        [5, "a", "a", "cohort=x"],
        [10, "a", "a", "cohort=x"],
        [50, "a", undefined, undefined],
        [100, "a", "a", "cohort=x"],
        [200, "b", "b", "cohort=y"],
        [300, undefined, undefined, undefined]
      ]
      assert.deepStrictEqual(sorted(seen), sorted(expected))
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          seeing(seen, Second),
          batched("flow.shared", First, false),
          batched("flow.mixing", Mixed, false),
          batched("flow.single", Each, true)
        ).pipe(Layer.provideMerge(TestBus.layer))
      )
    )
  })

  it.effect("a handler and a hook pass on nothing of whoever started them", () => {
    const seen: Array<unknown> = []
    const hooked: Array<unknown> = []
    const Relaying = Subscriber.layer("flow.relaying", {
      events: [First],
      handler: ({ data }) => Effect.flatMap(EventBus, (bus) => bus.publish(Second, data))
    })
    const Hook = Around.make({
      name: "hook",
      handling: (handle, { deliveries: [delivery], events: [event] }) =>
        Effect.flatMap(CurrentTenant, (current) => {
          hooked.push([event?.tenant, current, delivery?.baggage?.get("cohort")])
          return handle
        }),
      publishing: (publish, { options }) => {
        hooked.push(options.tenant)
        return publish
      }
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      yield* bus.publish(First, { n: 1 })
      yield* settled
      yield* bus.publish(First, { n: 2 }, { tenant: "b", baggage: { cohort: "x" } })
      yield* settled
      assert.deepStrictEqual(seen, [
        [1, undefined, undefined, undefined],
        [2, "b", undefined, "cohort=x"]
      ])
      const nobody = [undefined, undefined, undefined]
      const somebody = ["b", "b", "x"]
      const [all, publishes] = [hooked.filter(Array.isArray), hooked.filter((one) => !Array.isArray(one))]
      assert.deepStrictEqual(all, [nobody, nobody, somebody, somebody])
      assert.deepStrictEqual(publishes, [undefined, undefined, "b", undefined])
    }).pipe(
      Effect.provide(
        Layer.merge(seeing(seen, Second), Relaying).pipe(
          Layer.provideMerge(TestBus.layer),
          Around.provide(Hook),
          // Where a service is started within a request, for example.
          Layer.provide(
            Layer.mergeAll(
              Layer.succeed(CurrentTenant, "starter"),
              Layer.succeed(CurrentBaggage, Baggage.of({ cohort: "starter" }))
            )
          )
        )
      )
    )
  })

  it.effect("what is wrong is refused with its name and without its value, and nothing is sent", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const refusal = (options: unknown) =>
        // Options of callers without types.
        Effect.map(Effect.flip(bus.publish(First, { n: 1 }, options as PublishOptions)), ({ message, reason }) => {
          assert.strictEqual(reason._tag, "Invalid")
          assert.notInclude(message, "secret")
          return message
        })
      for (const tenant of ["", "secret".repeat(43), 7, {}])
        assert.match(yield* refusal({ tenant }), /tenant: expected 1 to 255 bytes of text/)
      for (const actor of [{ id: "", role: "r" }, { id: "secret" }, "secret"])
        assert.match(yield* refusal({ actor }), /actor: expected 1 to 255 bytes of text/)
      for (const baggage of ["secret=1", 7, { a: 1 }, ["secret"]])
        assert.match(yield* refusal({ baggage }), /baggage: expected Baggage, or an object.*`Baggage.read`/)
      assert.match(yield* refusal({ baggage: { "a b": "secret" } }), /baggage: expected keys of letters/)
      assert.match(yield* refusal({ baggage: { a: "secret".repeat(2000) } }), /12002 bytes, at most 8192 are allowed/)
      assert.match(yield* refusal({ headers: { baggage: "secret=1" } }), /this one is written by the option `baggage`/)
      const surrounding = bus
        .publish(First, { n: 1 })
        .pipe(Effect.provideService(CurrentBaggage, Baggage.of({ a: "secret".repeat(2000) })))
      assert.match((yield* Effect.flip(surrounding)).message, /baggage: it has 12002 bytes/)
      const all = yield* Effect.flip(bus.publishAll(First, [{ n: 1 }], { tenant: "" }))
      assert.match(all.message, /tenant: expected 1 to 255 bytes/)
      assert.strictEqual((yield* bus.tree).publishing.inFlight, 0)
      yield* bus.publish(First, { n: 1 }, { tenant: "t".repeat(255), baggage: Baggage.empty })
    }).pipe(Effect.provide(TestBus.layer))
  )

  it.effect("no log line and no failure has a tenant, an actor or baggage", () => {
    const log = recordedLog()
    const Failing = Subscriber.layer("flow.failing", {
      events: [First],
      retry: Schedule.recurs(1),
      handler: ({ data: { n } }) => (n === 1 ? Effect.fail("down") : Effect.fail(new Reject({ reason: "never" })))
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      const options = { tenant: "secret-t", actor: { id: "secret-a", role: "secret-r" }, baggage: { b: "secret-b" } }
      yield* bus.publish(First, { n: 1 }, options)
      yield* bus.publish(First, { n: 2 }, options)
      yield* bus.publish(ByServices, { n: 3 }, { ...options, actor: undefined })
      yield* settled
      const letters = yield* (yield* DeadLetters).list("flow.failing")
      assert.strictEqual(letters.length, 2)
      assert.isAbove(log.lines.length, 4)
      assert.notInclude(JSON.stringify(log.lines), "secret")
      assert.notInclude(JSON.stringify(letters.map(({ error, failures }) => ({ error, failures }))), "secret")
    }).pipe(
      Effect.provide(Failing.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(log.layer))),
      Effect.provideService(References.MinimumLogLevel, "Debug")
    )
  })

  it.effect("`TestBus.deliver` brings what the test has", () => {
    const seen: Array<unknown> = []
    return Effect.gen(function* () {
      const test = yield* TestBus
      yield* test
        .deliver("flow.seen", First, { n: 1 })
        .pipe(
          Effect.provideService(CurrentTenant, "t"),
          Effect.provideService(CurrentActor, teacher),
          Effect.provideService(CurrentBaggage, Baggage.of({ a: "1" }))
        )
      yield* test.deliver("flow.seen", First, { n: 2 })
      assert.deepStrictEqual(seen, [
        [1, "t", "u-1", "a=1"],
        [2, undefined, undefined, undefined]
      ])
    }).pipe(Effect.provide(seeing(seen, First).pipe(Layer.provideMerge(TestBus.layer))))
  })
})
