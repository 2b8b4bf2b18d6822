/** Waiting for a condition instead of a time. */
import * as Effect from "effect/Effect"
import type { SubscriberStats, Subscription } from "../../../bus/subscriber/Subscription.ts"
import { assert } from "../Assert.ts"
import type { Process } from "./BusProcess.ts"

/** Timers of Node may fire up to a millisecond early. */
export const timerTolerance = 2

/** Polls the condition; after four minutes, far more than a busy machine needs, it fails with what is missing. */
export const until = (what: () => string, condition: () => boolean): Effect.Effect<void> =>
  untilEffect(what, Effect.sync(condition))

export const untilEffect = <E, R>(
  what: () => string,
  condition: Effect.Effect<boolean, E, R>
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const deadline = Date.now() + 240_000
    while (!(yield* condition)) {
      if (Date.now() > deadline) assert.fail(`not within four minutes: ${what()}`)
      yield* Effect.sleep(5)
    }
  })

/** Waits until the numbers of a subscriber are as expected. */
export const statsBecome = Effect.fnUntraced(function* (
  subscription: Subscription,
  expected: Partial<SubscriberStats>
) {
  let stats: Partial<SubscriberStats> = {}
  const reached = Effect.map(subscription.stats, (now) => {
    stats = now
    // The keys of a partial record of figures are names of figures.
    return (Object.keys(expected) as Array<keyof SubscriberStats>).every((name) => now[name] === expected[name])
  })
  yield* untilEffect(() => `${JSON.stringify(stats)} instead of ${JSON.stringify(expected)}`, reached)
})

/** Waits until `count` dead letters are there, and lists them. */
export const lettersOf = Effect.fnUntraced(function* (
  { letters }: Pick<Process, "letters">,
  source: string,
  count: number
) {
  let found = 0
  yield* untilEffect(
    () => `${found} of ${count} dead letters of ${source}`,
    Effect.map(letters.count(source), (now) => (found = now) >= count)
  )
  return yield* letters.list(source, { limit: count + 10 })
})
