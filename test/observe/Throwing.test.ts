/** Telemetry changes nothing: events are unaffected by a logger or tracer that throws (P18). */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Option, References, Schedule, Schema, Tracer } from "effect"
import { DeadLetters, Event, EventBus, Reject, Subscriber } from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"

const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

const boom = (): never => {
  throw new Error("telemetry is broken")
}

/** Throws when a span starts, when it gets an attribute, or when it ends. */
const tracer = (when: "made" | "described" | "ended"): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      if (when === "made") return boom()
      const span = Tracer.nativeTracer.span(options)
      if (when === "described") return Object.assign(span, { attribute: boom })
      return Object.assign(span, { end: boom })
    }
  })

const logger = Logger.layer([Logger.make(boom)])

const telemetry = [
  ["a logger", logger],
  ["a tracer that makes no span", Layer.succeed(Tracer.Tracer, tracer("made"))],
  ["a tracer whose spans take no attributes", Layer.succeed(Tracer.Tracer, tracer("described"))],
  ["a tracer whose spans cannot end", Layer.succeed(Tracer.Tracer, tracer("ended"))],
  ["both", Layer.merge(logger, Layer.succeed(Tracer.Tracer, tracer("made")))]
] as const

describe("telemetry that throws", () => {
  for (const [what, layer] of telemetry) {
    it.effect(`O1, P18: ${what}: events are published, handled, retried, postponed and dead-lettered as usual`, () => {
      const handled: Array<string> = []
      const Feed = Subscriber.layer("social.feed", {
        events: [Posted],
        retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 2 })),
        handler: ({ data: { n } }, { attempt }) =>
          Effect.suspend((): Effect.Effect<void, string | Reject> => {
            handled.push(`${n}/${attempt}`)
            if (n === 1 && attempt === 1) return Effect.fail("once")
            if (n === 2) return Effect.fail(new Reject({ reason: "poison" }))
            if (n === 3) return Effect.die(new Error("defect"))
            return Effect.void
          })
      })
      return Effect.gen(function* () {
        const bus = yield* EventBus
        for (const n of [0, 1, 2, 3]) yield* bus.publish(Posted, { n })
        yield* (yield* TestBus).settle
        assert.deepStrictEqual(handled.toSorted(), ["0/1", "1/1", "1/2", "2/1", "3/1", "3/2", "3/3"])
        const letters = yield* (
          (yield* DeadLetters)
            .list("social.feed")
            // The span of a console call is made by Effect, which trusts its tracer.
            .pipe(Effect.provideService(Tracer.Tracer, Tracer.nativeTracer))
        )
        assert.deepStrictEqual(letters.map(({ attempts, reason }) => `${reason} ${attempts}`).toSorted(), [
          "Exhausted 3",
          "Rejected 1"
        ])
        assert.isTrue(yield* bus.drain)
      }).pipe(
        Effect.provide(Feed.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(layer))),
        Effect.provideService(References.MinimumLogLevel, "All")
      )
    })
  }

  it("the tracers of this test do throw", () => {
    const options: Parameters<Tracer.Tracer["span"]>[0] = {
      name: "x",
      kind: "internal",
      parent: Option.none(),
      annotations: Context.empty(),
      links: [],
      startTime: 0n,
      root: true,
      sampled: true
    }
    assert.throws(() => tracer("made").span(options))
    assert.throws(() => tracer("described").span(options).attribute("a", 1))
  })
})
