/** Waits for a condition and fails with what is missing. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"

export const until = (what: () => string, condition: () => boolean, seconds = 240): Effect.Effect<void> =>
  untilEffect(what, Effect.sync(condition), seconds, 5)

export const untilEffect = <E, R>(
  what: () => string,
  condition: Effect.Effect<boolean, E, R>,
  seconds = 240,
  /** A condition may be a question to a node, which has other work. */
  pauseMillis = 50
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const deadline = Date.now() + seconds * 1000
    while (!(yield* condition)) {
      if (Date.now() > deadline) assert.fail(`not within ${seconds} seconds: ${what()}`)
      yield* Effect.sleep(pauseMillis)
    }
  })
