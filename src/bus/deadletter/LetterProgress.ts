/** How far a replay or a discard has come, for who shows it while it runs. */
import * as Context from "effect/Context"

/** Called with the letters that are done and those that the walk began with. Must not throw. */
export const LetterProgress = Context.Reference<(done: number, found: number) => void>(
  "@eduflow/events/bus/LetterProgress",
  { defaultValue: () => () => {} }
)
