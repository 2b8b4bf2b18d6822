/**
 * How often the bus looks at what nobody reports to it: depths of queues, bindings, its own progress. A test clock passes
 * days in moments, and each look of those days would take a part of the moment.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** How many times longer than usual the bus waits between two looks. */
export const CurrentLookPace: Context.Reference<number> = Context.Reference<number>(
  "@eduflow/events/bus/CurrentLookPace",
  { defaultValue: () => 1 }
)

/** The time between two looks. */
export const between = (millis: number): Effect.Effect<number> => Effect.map(CurrentLookPace, (pace) => millis * pace)
