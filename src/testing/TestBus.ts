/**
 * The bus for tests of handlers: the real one, over an embedded broker of its own, without a network.
 * Under Effect's TestClock `settle` runs everything to its end, retries of days included, in moments.
 */
import { Clock, Context, Effect, Layer, Option, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Assembly from "../bus/Assembly.ts"
import type { DeadLetters } from "../bus/DeadLetters.ts"
import { type BusOptions, EventBus } from "../bus/EventBus.ts"
import type { EventCache } from "../bus/EventCache.ts"
import * as Letters from "../bus/Letters.ts"
import * as Codec from "../event/Codec.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import * as Limits from "../event/Limits.ts"
import { MemoryBroker, MemoryCache, MemoryMarks, MemoryServer } from "../memory/index.ts"

/** Something goes on without end: a handler that never returns, or events that cause each other for ever. */
export class NotSettled extends Schema.TaggedError<NotSettled>()("NotSettled", {
  steps: Schema.Int,
  running: Schema.Int,
  held: Schema.Int,
  delayed: Schema.Int
}) {
  override get message(): string {
    return (
      `the bus did not come to rest in ${this.steps} steps: ${this.running} handlers run, ${this.held} deliveries are held, ` +
      `${this.delayed} are delayed. Look for a handler that never ends or events that cause each other for ever`
    )
  }
}

export class TestBus extends Context.Service<
  TestBus,
  {
    /**
     * Under TestClock: runs until nothing is in flight, moves the clock to the next due time, and so
     * on until nothing is delayed either. With the live clock it waits for the same.
     *
     * @example
     * ```ts
     * import { DeadLetters, Event, EventBus, Reject, Subscriber } from "@eduflow/events"
     * import { TestBus } from "@eduflow/events/testing"
     * import { Effect, Layer, Schema } from "effect"
     *
     * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
     * const Feed = Subscriber.layer("social.feed", {
     *   events: [Posted],
     *   handler: (event) => event.data.text === "" ? Effect.fail(new Reject({ reason: "empty" })) : Effect.void
     * })
     *
     * export const test = Effect.gen(function*() {
     *   yield* (yield* EventBus).publish(Posted, { text: "" })
     *   yield* (yield* TestBus).settle
     *   return yield* (yield* DeadLetters).list("social.feed")
     * }).pipe(Effect.provide(Feed.pipe(Layer.provideMerge(TestBus.layer))))
     * ```
     */
    readonly settle: Effect.Effect<void, NotSettled>
    /** What was published of an event, oldest first; the last 1,000 events of all kinds are kept. */
    readonly published: <Name extends string, A>(
      event: Event.Event<Name, A>
    ) => Effect.Effect<ReadonlyArray<Envelope.Envelope<Name, A>>>
    /** The broker, for tests of what happens when it is blocked, cut off or loses a queue. */
    readonly broker: MemoryServer["Service"]
  }
>()("@eduflow/events/testing/TestBus") {
  static readonly layerWith = (options: BusOptions): Layer.Layer<TestBus | EventBus | EventCache | DeadLetters> =>
    Layer.effect(TestBus, make).pipe(
      Layer.provideMerge(Assembly.layerWith(options)),
      Layer.merge(Letters.layer),
      Layer.provide(Layer.merge(MemoryBroker.layerClient(), MemoryMarks.layer)),
      Layer.provideMerge(MemoryCache.layer),
      Layer.provide(MemoryServer.layer)
    )
  static readonly layer: Layer.Layer<TestBus | EventBus | EventCache | DeadLetters> = Layer.suspend(() =>
    TestBus.layerWith({ source: "test" })
  )
}

const maxSteps = 100_000
/** Waits in the process are passed in steps: small ones, or a part of what has passed without any change. */
const stepMillis = 100
const stepShare = 16
/** Turns of the event loop without change after which nothing more comes by itself. */
const calmTurns = 4
/** Real milliseconds that a handler gets for real work before the clock moves on. */
const patienceMillis = 20

const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const server = yield* MemoryServer

  const look = Effect.gen(function* () {
    let running = 0
    let held = 0
    let settled = 0
    for (const subscription of yield* bus.subscriptions) {
      const stats = yield* subscription.stats
      running += stats.inFlight
      held += stats.held
      settled += stats.handled + stats.deadLettered + stats.retried + stats.postponed + stats.skipped
    }
    return { running, held, settled, ...server.counts() }
  })
  type View = Effect.Success<typeof look>
  const same = (a: View, b: View): boolean => JSON.stringify(a) === JSON.stringify(b)

  /** Until nothing changes by itself any more. */
  const calm = Effect.gen(function* () {
    let view = yield* look
    for (let turns = 0; turns < calmTurns;) {
      yield* turn
      const next = yield* look
      turns = same(view, next) ? turns + 1 : 0
      view = next
    }
    return view
  })

  const settle = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    // The live clock cannot be moved.
    if (!("adjust" in clock)) return yield* server.idle
    let last: View | undefined
    let stillSince = 0
    for (let step = 0; step < maxSteps; step++) {
      let view = yield* calm
      const now = yield* Clock.currentTimeMillis
      if (last === undefined || !same(last, view)) stillSince = now
      last = view
      if (view.running > 0) {
        // It may do real work, which no clock hurries.
        yield* pause(patienceMillis)
        const later = yield* calm
        if (!same(view, later)) continue
        view = later
      }
      if (view.sending + view.unacked + view.ready + view.held > 0) {
        yield* TestClock.adjust(Math.max(stepMillis, (now - stillSince) / stepShare))
        continue
      }
      const due = server.nextDue()
      if (due === undefined) return
      yield* TestClock.adjust(Math.max(0, due - now))
    }
    const { delayed, held, running } = yield* look
    return yield* new NotSettled({ steps: maxSteps, running, held, delayed })
  })

  return TestBus.of({
    settle,
    broker: server,
    published: <Name extends string, A>(event: Event.Event<Name, A>) =>
      Effect.sync(() =>
        server.published().flatMap(({ body, to }) => {
          if (to._tag !== "Event" || to.name !== event.name) return []
          const parsed = Codec.parse(body, Limits.defaults)
          const decoded = Result.isFailure(parsed)
            ? Option.none()
            : Result.getSuccess(Codec.decode(parsed.success, event))
          // The contract of this event made the data of it.
          return Option.isNone(decoded) ? [] : [decoded.value as Envelope.Envelope<Name, A>]
        })
      )
  })
})

const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Real time, whatever Effect's clock says. */
const pause = (millis: number) =>
  Effect.callback<void>((resume) => {
    setTimeout(() => resume(Effect.void), millis)
  })
