/** Waits for a Standard Schema that validates asynchronously. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { InvalidEvent } from "../../event/EventError.ts"
import * as Later from "../../event/standard/Later.ts"

/** How long a validator may take where nothing says it: as long as a publish by default. */
export const defaultMillis = 15_000

/** The outcome once it is known: it is never a `Later`. A validator that takes longer than this has refused the data. */
export const settled = <A>(
  event: string,
  outcome: Later.Outcome<A>,
  millis: number
): Effect.Effect<Later.Outcome<A>> => {
  const wait = Later.waiting(outcome)
  return wait === undefined
    ? Effect.succeed(outcome)
    : Effect.timeoutOrElse(
        Effect.promise(() => wait),
        { duration: millis, orElse: () => Effect.succeed(Result.fail(InvalidEvent.of(event, "data", tooSlow(millis)))) }
      )
}

const tooSlow = (millis: number): string =>
  `its validator took longer than ${Duration.format(Duration.millis(millis))}: what has to wait for others belongs into the handler`
