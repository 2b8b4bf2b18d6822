/** Publishes that reach nobody: the log says so once an hour for each event, with the name that was probably meant. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Event, EventBus, Subscriber } from "../../../src/index.ts"
import { KnownEvents } from "../../../src/bus/support/KnownEvents.ts"
import { TestBus } from "../../../src/testing/index.ts"
import { recordedLog } from "../../support/RecordedLog.ts"

const data = Schema.Struct({ n: Schema.Int })
const define = <const Name extends string>(name: Name) => Event.make(name, { version: 1, data })
const Posted = define("academic.grade.posted")
const Misspelled = define("academic.grade.psoted")
const Revised = define("academic.grade.revised")
const Other = define("crm.account.closed")

const message = "a published event reached nobody"

describe("a publish that reaches nobody", () => {
  it.effect("is a warning once an hour for each event, with the nearest known name", () => {
    const { layer, of } = recordedLog()
    const Mailer = Subscriber.layer("notification.mailer", { events: [Posted], handler: () => Effect.void })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      for (let n = 0; n < 50; n++) {
        for (const event of [Posted, Misspelled, Other]) yield* bus.publish(event, { n })
      }
      yield* bus.publishAll(Misspelled, [{ n: 1 }, { n: 2 }])
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        of(message).map(({ fields, level }) => [level, fields["event"]]),
        [
          ["Warn", Misspelled.name],
          ["Warn", Other.name]
        ]
      )
      const [misspelled, other] = of(message)
      assert.include(String(misspelled?.fields["remedy"]), `did you mean "${Posted.name}"?`)
      assert.notInclude(String(other?.fields["remedy"]), "did you mean")
      assert.include(String(other?.fields["remedy"]), "mandatory")

      yield* TestClock.adjust("59 minutes")
      yield* bus.publish(Misspelled, { n: 1 })
      yield* Effect.yieldNow
      assert.strictEqual(of(message).length, 2)
      yield* TestClock.adjust("1 minute")
      for (let n = 0; n < 50; n++) yield* bus.publish(Misspelled, { n })
      yield* Effect.yieldNow
      assert.strictEqual(of(message).length, 3)
    }).pipe(Effect.provide(Mailer.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(layer))))
  })

  it.effect("knows the names that this process publishes, too, and says nothing of the events of the runtime", () => {
    const { layer, of } = recordedLog()
    const Failing = Subscriber.layer("notification.failing", {
      events: [Other],
      retry: Schedule.recurs(0),
      handler: () => Effect.fail("no")
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      yield* bus.publish(Revised, { n: 1 })
      yield* bus.publish(define("academic.grade.revisde"), { n: 1 })
      // Its dead letter is announced, and nobody listens.
      yield* bus.publish(Other, { n: 1 })
      // A delayed event reaches its queue when its time has come.
      yield* bus.publish(define("academic.grade.reviewed"), { n: 1 }, { delay: "1 hour" })
      yield* (yield* TestBus).settle
      const [first, second] = of(message)
      assert.deepStrictEqual([first?.fields["event"], of(message).length], [Revised.name, 2])
      assert.include(String(second?.fields["remedy"]), `did you mean "${Revised.name}"?`)
    }).pipe(Effect.provide(Failing.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(layer))))
  })
})

describe("KnownEvents", () => {
  it("finds the nearest name within a quarter of its letters", () => {
    const known = new KnownEvents()
    for (const name of ["academic.grade.posted", "academic.grade.revised", "crm.account.closed"]) known.add(name)
    assert.strictEqual(known.nearest("academic.grades.posted"), "academic.grade.posted")
    assert.strictEqual(known.nearest("Academic.Grade.Revised"), "academic.grade.revised")
    assert.isUndefined(known.nearest("academic.course.ended"))
    assert.isUndefined(known.nearest("crm.account.closed"))
    assert.isUndefined(known.nearest("a.b"))
  })

  it("is bounded, whatever names a process makes up", () => {
    const known = new KnownEvents()
    for (let n = 0; n < 5_000; n++) known.add(`made.up.name-${n}`)
    known.add("academic.grade.posted")
    assert.isUndefined(known.nearest("academic.grade.psoted"))
  })
})
