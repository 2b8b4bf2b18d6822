/**
 * Detects a second copy of effect in the process. Even if both copies are of the same version, values of one are only
 * half understood by the other: transformations of its schemas do not run, for example.
 */
import * as Effect from "effect/Effect"

/** Thrown when values of one copy of effect meet code of another. */
export class DuplicateEffect extends Error {
  override readonly name = "DuplicateEffect"

  /** `subject` is the value that came from another copy. */
  constructor(subject: string) {
    super(
      `two copies of effect are loaded: ${subject} is from another copy than the one that @eduflow/events uses (${location()}). ` +
        "Find both with `npm ls effect`, then install one: run `npm dedupe`, or set its version under `overrides` in package.json"
    )
  }
}

const location = (): string => {
  try {
    return import.meta.resolve("effect/Effect")
  } catch {
    // Bundled into one file.
    return import.meta.url
  }
}

/** Dies if the fiber that runs this is of another copy of effect than this code. */
export const checkRuntime: Effect.Effect<void> = Effect.withFiber((fiber) =>
  Object.getPrototypeOf(fiber) === Object.getPrototypeOf(Effect.runFork(Effect.void))
    ? Effect.void
    : Effect.die(new DuplicateEffect("the runtime that builds the bus"))
)
