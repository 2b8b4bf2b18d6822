/** What the console shows: a line of JSON for machines, a readable line for people, and no secret in either (P14). */
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Layer, References, Schema, Tracer } from "effect"
import { TestConsole } from "effect/testing"
import { Event, EventBus, Reject, sensitive, Telemetry } from "../../../src/index.ts"

const Paid = Event.make("telemetry.bill.paid", {
  version: 1,
  data: Schema.Struct({ amount: Schema.Int, iban: sensitive(Schema.String) })
})

const lines = <A, E>(
  form: "json" | "pretty",
  what: Effect.Effect<A, E, EventBus>,
  redact: ReadonlyArray<string> = []
) =>
  Effect.gen(function* () {
    yield* Effect.provide(
      what,
      EventBus.layerMemory({ source: "test" }).pipe(Layer.provideMerge(Telemetry.layer({ logs: form, redact })))
    )
    return (yield* TestConsole.logLines).map(String)
  }).pipe(
    Effect.provide(Layer.merge(TestConsole.layer, ConfigProvider.layer(ConfigProvider.fromEnvRecord({})))),
    Effect.provideService(References.MinimumLogLevel, "Debug")
  )

const span = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16) })

const work = Effect.gen(function* () {
  const bus = yield* EventBus
  const subscription = yield* bus.subscribe("billing.audit", {
    events: [Paid],
    handler: () => Effect.fail(new Reject({ reason: "no such account" }))
  })
  yield* Effect.withParentSpan(bus.publish(Paid, { amount: 3, iban: "DE02-SECRET" }), span)
  yield* Effect.repeat(subscription.stats, { until: ({ deadLettered }) => deadLettered === 1 })
  yield* Effect.logInfo("who came", {
    user: { name: "Ada", password: "hunter2", iban: "DE02-SECRET", shoeSize: 271_828_182 },
    url: "amqp://guest:hunter2@broker:5672"
  }).pipe(Effect.annotateLogs({ apiKey: "hunter2", big: 12n }), Effect.withParentSpan(span))
}).pipe(Effect.scoped)

describe("the console", () => {
  it.live("JSON: each line is an object with time, level, message, fields and trace", () =>
    Effect.gen(function* () {
      const all = (yield* lines("json", work)).map((line) => JSON.parse(line))
      const published = all.find(({ message }) => message === "published")
      assert.match(published.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.containsSubset(published, { level: "DEBUG", event: Paid.name, trace_id: span.traceId, trace_flags: "01" })
      assert.match(published.id, /^[0-9a-f-]{36}$/)
      const dead = all.find(({ message }) => message === "dead-lettered")
      assert.containsSubset(dead, { level: "ERROR", subscriber: "billing.audit", reason: "Rejected", attempts: 1 })
      assert.strictEqual(dead.trace_id, span.traceId)
      assert.strictEqual(dead.id, published.id)
    })
  )

  it.live("pretty: one line with level, message and fields", () =>
    Effect.gen(function* () {
      const all = yield* lines("pretty", work)
      const published = all.find((line) => line.includes(" published "))
      assert.match(published ?? "", /^\d\d:\d\d:\d\d\.\d{3} DEBUG published .*event=telemetry\.bill\.paid/)
      assert.include(published, "trace=aaaaaaaa")
      const dead = all.find((line) => line.includes(" dead-lettered "))
      assert.match(dead ?? "", /^\S+ ERROR dead-lettered .*subscriber=billing\.audit.*reason=Rejected/)
    })
  )

  for (const form of ["json", "pretty"] as const) {
    it.live(
      `P14, ${form}: sensitive fields, names that suggest a secret, and keys that the service names are redacted`,
      () =>
        Effect.gen(function* () {
          const all = yield* lines(form, work, ["shoeSize"])
          const said = all.find((line) => line.includes("who came")) ?? ""
          for (const secret of ["hunter2", "SECRET", "271828182"]) assert.notInclude(said, secret)
          for (const open of ["Ada", "<redacted>", "12", "broker:5672"]) assert.include(said, open)
          assert.notInclude(all.join("\n"), "DE02-SECRET")
        })
    )
  }

  const evil = "id\u001b[2J\u009b2K\r\u202e\u2028\n12:00:00.000 ERROR forged"

  for (const form of ["json", "pretty"] as const)
    it.live(`${form}: no id and no message moves the cursor, turns the text or forges a line`, () =>
      Effect.gen(function* () {
        const write = Effect.logError(`an event ${evil}`, new Error(evil)).pipe(
          Effect.andThen(Effect.logError("a failure", Cause.fail(new Error(evil)))),
          Effect.annotateLogs({ id: evil, [evil]: 1 })
        )
        for (const entry of yield* lines(form, write)) {
          for (const line of entry.split("\n")) {
            // oxlint-disable-next-line no-control-regex
            assert.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
            assert.notMatch(line, /^12:00/)
          }
          if (form === "json") assert.strictEqual(JSON.parse(entry).id, evil)
        }
      })
    )
})
