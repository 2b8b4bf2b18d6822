/** The log of the runtime: levels, traces, and throttling of repeated entries. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, References, Schedule, Schema, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Event, EventBus, Reject, Subscriber } from "../../src/index.ts"
import * as Log from "../../src/observe/Log.ts"
import { TestBus } from "../../src/testing/index.ts"

interface Line {
  readonly level: string
  readonly message: unknown
  readonly fields: Readonly<Record<string, unknown>>
  readonly traceId: string | undefined
}

const recorded = () => {
  const lines: Array<Line> = []
  const layer = Logger.layer([
    Logger.make(({ fiber, logLevel, message }) => {
      const [only] = Array.isArray(message) ? message : [message]
      const fields = fiber.getRef(References.CurrentLogAnnotations)
      lines.push({ level: logLevel, message: only, fields, traceId: fiber.cache.span?.traceId })
    })
  ])
  return { lines, layer: Layer.merge(layer, Layer.succeed(References.MinimumLogLevel, "Debug")) }
}

const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ n: Schema.Int }) })

describe("Log", () => {
  it.effect(
    "a publish is logged as debug, a failure as a warning, a dead letter as an error, each in the trace of its event",
    () => {
      const { layer, lines } = recorded()
      const Feed = Subscriber.layer("social.feed", {
        events: [Posted],
        retry: Schedule.spaced("2 seconds"),
        handler: ({ data: { n } }, { attempt }): Effect.Effect<void, string | Reject> =>
          n === 1 ? Effect.fail(new Reject({ reason: "poison" })) : attempt === 1 ? Effect.fail("once") : Effect.void
      })
      return Effect.gen(function* () {
        const bus = yield* EventBus
        const traceIds: Array<string> = []
        for (const n of [0, 1]) {
          const span = Tracer.externalSpan({ traceId: `${n}`.repeat(31) + "f", spanId: "b".repeat(16) })
          traceIds.push(span.traceId)
          yield* Effect.withParentSpan(bus.publish(Posted, { n }), span)
        }
        yield* (yield* TestBus).settle
        const of = (message: string) =>
          lines.filter((line) => line.message === message && line.fields["event"] === Posted.name)
        const seen = (message: string) =>
          of(message).map(({ fields, level, traceId }) => [level, traceId, fields["event"]])
        const [first, second] = traceIds
        assert.deepStrictEqual(seen("published"), [
          ["Debug", first, Posted.name],
          ["Debug", second, Posted.name]
        ])
        assert.deepStrictEqual(seen("attempt failed"), [["Warn", first, Posted.name]])
        assert.deepStrictEqual(seen("handled"), [["Debug", first, Posted.name]])
        assert.deepStrictEqual(seen("dead-lettered"), [["Error", second, Posted.name]])
        const [dead] = of("dead-lettered")
        assert.containsAllKeys(dead?.fields, ["subscriber", "event", "id", "attempts", "reason", "error"])
        assert.isFalse(lines.some(({ fields }) => "span" in fields))
      }).pipe(Effect.provide(Feed.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(layer))))
    }
  )

  it.effect("repeated failures are summed up; other failures and later ones are not", () => {
    const { layer, lines } = recorded()
    return Effect.gen(function* () {
      const log = yield* Log.make
      const fail = (id: number, error: string): void =>
        log.warning("attempt failed", { subscriber: "social.feed", event: "a.b", id: `${id}`, error })
      for (let n = 0; n < 9_822; n++) fail(n, "Timeout")
      fail(1, "Refused")
      yield* TestClock.adjust("1 second")
      const entries = () => lines.map(({ fields, message }) => `${String(message)} ${String(fields["error"])}`)
      assert.deepStrictEqual(entries(), [
        ...Array.from({ length: 10 }, () => "attempt failed Timeout"),
        "attempt failed Refused"
      ])
      yield* TestClock.adjust("9 seconds")
      const summary = lines.at(-1)
      assert.strictEqual(summary?.message, "attempt failed (and 9,812 more in 10 s)")
      assert.deepStrictEqual(summary?.fields, {
        subscriber: "social.feed",
        event: "a.b",
        error: "Timeout",
        suppressed: 9812
      })
      fail(2, "Timeout")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(lines.length, 13)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("what is logged after the bus closed starts no timer, and is throttled and summed up all the same", () => {
    const { layer, lines } = recorded()
    return Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let sleeps = 0
      const counting: Clock.Clock = {
        ...clock,
        sleep: (duration) =>
          Effect.suspend(() =>
            Effect.andThen(
              Effect.sync(() => void sleeps++),
              clock.sleep(duration)
            )
          )
      }
      const log = yield* Effect.scoped(Log.make).pipe(Effect.provideService(Clock.Clock, counting))
      for (let n = 0; n < 15; n++) log.warning("publish failed", { reason: "Unavailable" })
      yield* Effect.yieldNow
      assert.deepStrictEqual([lines.length, sleeps], [10, 0])
      yield* TestClock.adjust("10 seconds")
      log.warning("publish failed", { reason: "Unavailable" })
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        lines.slice(10).map(({ message }) => message),
        ["publish failed (and 5 more in 10 s)", "publish failed"]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("suppressed entries are summed up when the bus closes, and the number of meanings is bounded", () => {
    const { layer, lines } = recorded()
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const log = yield* Log.make
        for (let n = 0; n < 20; n++) log.error("dead-lettered", { reason: "Rejected" })
        for (let n = 0; n < 5_000; n++) log.error("dead-lettered", { reason: `${n}` })
      }).pipe(Effect.scoped)
      yield* Effect.yieldNow
      assert.isBelow(lines.length, 300)
      assert.strictEqual(lines.filter(({ fields }) => fields["suppressed"] === 10).length, 1)
    }).pipe(Effect.provide(layer))
  })
})
