import { DeadLetters, EventBus } from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AccountClosed } from "./define.ts"
import { Directory } from "./subscribe.ts"

export const handlers = () => {
  it.effect("an account without a user is dead-lettered", () =>
    Effect.gen(function* () {
      yield* (yield* EventBus).publish(AccountClosed, { userId: "" }, { key: "nobody" })
      yield* (yield* TestBus).settle
      const [letter] = yield* (yield* DeadLetters).list("directory.accounts")
      assert.strictEqual(letter?.error.message, "an account without a user")
    }).pipe(Effect.provide(Directory.pipe(Layer.provideMerge(TestBus.layer))))
  )
}
