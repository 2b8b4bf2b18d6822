/**
 * What a Promise handler returned. Most values mean nothing, but some are work that only its caller could start:
 * a handler that returns one of them has not done what it looks like.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"

/** Fails for a value that is work which was not started. An Effect is none of them: it is run. */
export const check = (returned: unknown): Effect.Effect<unknown, TypeError> => {
  if (!Predicate.isObjectKeyword(returned)) return Effect.succeed(returned)
  const kind = kindOf(returned)
  return kind === undefined
    ? Effect.succeed(returned)
    : Effect.fail(
        // @effect-diagnostics-next-line globalErrorInEffectFailure:off
        new TypeError(
          `the handler returned ${kind}, which nothing runs: write an async function, or return an Effect of effect 4`
        )
      )
}

const kindOf = (value: object): string | undefined => {
  if (Stream.isStream(value)) return "a Stream"
  const name = Object.prototype.toString.call(value)
  if (name === "[object Generator]" || name === "[object AsyncGenerator]") return "a generator"
  // The key by which Effect 2 and 3 recognise their Effects. Their Options and Exits have it, and a `_tag` besides.
  return Symbol.for("effect/Effect") in value && !("_tag" in value) ? "an Effect of another version" : undefined
}
