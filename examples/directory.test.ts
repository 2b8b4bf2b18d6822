import { DeadLetters, EventBus } from "@eduflow/events"
import { TestBus } from "@eduflow/events/testing"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AccountClosed } from "./events.ts"
import { Directory } from "./subscribe.ts"

it.effect("an account without a user is dead-lettered", () =>
  Effect.gen(function* () {
    yield* (yield* EventBus).publish(AccountClosed, { userId: "nobody" })
    yield* (yield* TestBus).settle
    const [letter] = yield* (yield* DeadLetters).list("directory.accounts")
    assert.strictEqual(letter?.error.message, "an account without a user")
  }).pipe(Effect.provide(Directory.pipe(Layer.provideMerge(TestBus.layer))))
)

it.effect("a mail server that is away costs an attempt", () =>
  Effect.gen(function* () {
    const { deliver, settle } = yield* TestBus
    const settlement = yield* deliver("directory.accounts", AccountClosed, { userId: "u-9" })
    assert.strictEqual(settlement._tag, "Retried")
    yield* settle
    assert.strictEqual(yield* (yield* DeadLetters).count("directory.accounts"), 0)
  }).pipe(Effect.provide(Directory.pipe(Layer.provideMerge(TestBus.layer))))
)

it.effect("a broker that refuses one publish in ten loses nothing", () =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const { faults, published, settle } = yield* TestBus
    yield* bus.publishAll(
      AccountClosed,
      Array.from({ length: 50 }, (_, n) => ({ userId: `u-${n}` }))
    )
    yield* settle
    assert.isAbove((yield* faults.injected).length, 0)
    assert.isAtLeast((yield* published(AccountClosed)).length, 50)
    assert.strictEqual(yield* (yield* DeadLetters).count("directory.accounts"), 0)
  }).pipe(
    Effect.provide(
      Directory.pipe(
        Layer.provideMerge(TestBus.layerWith({ faults: { seed: 7, redelivered: 0.1, confirmDelayed: 0.1 } }))
      )
    )
  )
)
