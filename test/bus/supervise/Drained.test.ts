/** The end of a subscriber: reported once, and its handle says how it ended. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream, SubscriptionRef } from "effect"
import { EventBus, type Subscription } from "../../../src/index.ts"
import { TestBus } from "../../../src/testing/index.ts"
import { numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { recordedLog } from "../../support/RecordedLog.ts"
import * as Stage from "../Stage.ts"

const name = "mail.goodbye"
const drained = "a subscriber was drained"
const stopped = "a subscriber was stopped"

/** What is shown and logged of a subscriber whose end is asked for in this way. */
const ending = (
  end: (parts: { readonly subscription: Subscription; readonly bus: EventBus["Service"] }) => Effect.Effect<unknown>
) => {
  const { layer, of } = recordedLog()
  return Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(TestBus.layer, scope)
    const seen: Array<string> = []
    const subscription = yield* Effect.gen(function* () {
      const bus = yield* EventBus
      const subscription = yield* bus
        .subscribe(name, { events: [numbered()], handler: () => Effect.void })
        .pipe(Scope.provide(scope))
      const watching = yield* SubscriptionRef.changes(subscription.status).pipe(
        Stream.runForEach(({ _tag, cause }) => Effect.sync(() => void seen.push(`${_tag}: ${cause ?? "-"}`))),
        Effect.forkChild({ startImmediately: true })
      )
      yield* Stage.turns
      yield* end({ subscription, bus })
      // Asked again, by itself, by the bus, and by the end of its scope.
      yield* subscription.drain
      yield* subscription.stop
      yield* bus.drain
      yield* Scope.close(scope, Exit.void)
      yield* Stage.turns
      yield* Fiber.interrupt(watching)
      return subscription
    }).pipe(Effect.provide(context))
    const lines = [...of(drained), ...of(stopped)]
    return { subscription, seen, lines: lines.map(({ fields, level, message }) => ({ fields, level, message })) }
  }).pipe(Effect.provide(layer))
}

describe("a subscriber that has ended", () => {
  it.effect("P12: was drained: it is logged and shown once, however often its drain is asked for", () =>
    Effect.gen(function* () {
      const { lines, seen, subscription } = yield* ending(({ subscription }) => subscription.drain)
      assert.deepStrictEqual(seen, ["Running: -", "Draining: -", "Stopped: it was drained"])
      assert.lengthOf(lines, 1)
      assert.deepInclude(lines[0], { level: "Info", message: drained })
      assert.deepInclude(lines[0]?.fields, { subscriber: name })
      assert.deepInclude(yield* subscription.tree, { _tag: "Stopped", cause: "it was drained" })
    })
  )

  it.effect("P12: was drained by its bus, while its owner had paused it", () =>
    Effect.gen(function* () {
      const { lines, seen } = yield* ending(({ bus, subscription }) => Effect.andThen(subscription.pause, bus.drain))
      assert.deepStrictEqual(seen, [
        "Running: -",
        "Paused: its owner paused it",
        "Draining: -",
        "Stopped: it was drained"
      ])
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        [drained]
      )
    })
  )

  it.effect("P12: was stopped: a later drain does not change that", () =>
    Effect.gen(function* () {
      const { lines, seen } = yield* ending(({ subscription }) => subscription.stop)
      assert.deepStrictEqual(seen, ["Running: -", "Draining: -", "Stopped: it was stopped"])
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        [stopped]
      )
    })
  )

  it.effect("P12: refuses another concurrency, and says how it ended; pause and resume change nothing", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const subscription = yield* bus.subscribe(name, { events: [numbered()], handler: () => Effect.void })
      assert.isTrue(yield* subscription.drain)
      const error = yield* Effect.flip(subscription.setConcurrency(4))
      assert.include(error.message, "the subscriber has ended (it was drained)")
      assert.include(error.message, "Subscribe again")
      yield* subscription.pause
      yield* subscription.resume
      assert.deepInclude(yield* SubscriptionRef.get(subscription.status), { _tag: "Stopped", cause: "it was drained" })
    })
  )

  it.effect("P12: was cut off: the warning is the one line about it, and the handle names what was cut off", () => {
    const { layer, of } = recordedLog()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(TestBus.layer, scope)
      const Happened = numbered()
      const run = Effect.gen(function* () {
        const bus = yield* EventBus
        const subscription = yield* bus
          .subscribe(name, { events: [Happened], handler: () => Effect.never })
          .pipe(Scope.provide(scope))
        yield* bus.publish(Happened, { n: 1 })
        yield* Stage.turns
        const draining = yield* Effect.forkChild(subscription.drain, { startImmediately: true })
        yield* Stage.pass(30_000, 1_000)
        assert.isFalse(yield* Fiber.join(draining))
        assert.include((yield* SubscriptionRef.get(subscription.status)).cause, "it was drained, and cut off: handlers")
      })
      yield* Effect.provide(run, context)
      yield* Scope.close(scope, Exit.void)
      assert.lengthOf(of(drained), 0)
      assert.lengthOf(of("the drain of a subscriber was cut off"), 1)
    }).pipe(Effect.provide(layer))
  })
})
