/**
 * What a handler returned. TypeScript refuses handlers that return no Effect, but callers without types may pass any
 * function: a Promise would run unseen, and its event would be acknowledged or retried whatever becomes of it.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

const remedy =
  "wrap the call in Effect.tryPromise(() => ...), or use createEventBus, whose handlers are async functions"

/** The Effect itself. Anything else is a defect, and so a failed attempt, whose message says what to do. */
export const effectOf = <Err, R>(returned: Effect.Effect<unknown, Err, R>): Effect.Effect<unknown, Err, R> =>
  Effect.isEffect(returned) ? returned : Effect.die(new TypeError(faultOf(returned)))

const faultOf = (returned: unknown): string => {
  if (!Predicate.isPromiseLike(returned)) {
    return "the handler returned no Effect of effect 4: return one, such as Effect.void or Effect.sync(() => ...)"
  }
  // Nobody waits for it, and a rejection without a listener ends the process.
  returned.then(undefined, () => {})
  return `the handler returned a Promise, not an Effect: ${remedy}`
}

/** Why this function can never be a handler, or undefined. */
export const functionFault = (handler: unknown): { readonly problem: string; readonly remedy: string } | undefined => {
  const kind = Object.prototype.toString.call(handler)
  if (kind === "[object AsyncFunction]") {
    return { problem: "an async function returns a Promise, not an Effect", remedy: `Return an Effect: ${remedy}` }
  }
  return kind === "[object GeneratorFunction]" || kind === "[object AsyncGeneratorFunction]"
    ? { problem: "a generator function returns no Effect", remedy: "Wrap it in Effect.fn(...) or Effect.gen(...)" }
    : undefined
}
