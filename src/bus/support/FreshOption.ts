/** An option that is an Effect, asked each time it is needed: what it gives may change while a service runs. */
import * as Effect from "effect/Effect"

/**
 * Fails with why there is nothing. What the service's own code fails with may contain what it should have given: only
 * its name is kept.
 */
export const read = <A>(option: string, effect: Effect.Effect<A, unknown>): Effect.Effect<A, string> =>
  effect.pipe(
    Effect.mapError((error) => `the option ${option} failed${nameOf(error)}`),
    Effect.catchDefect((defect) => Effect.fail(`the option ${option} threw${nameOf(defect)}`))
  )

const nameOf = (error: unknown): string => {
  const name = error instanceof Error ? error.name : undefined
  return name !== undefined && /^\w{1,64}$/.test(name) ? ` with ${name}` : ""
}
