/**
 * How the end of the process went: the buses report it here to the code that sets the exit code.
 */
import * as Context from "effect/Context"

export interface Shutdown {
  /** Set when a drain had to cut something off. */
  cutOff: boolean
  /** The longest time that a bus of this process takes to drain, in milliseconds. */
  budget?: number
  /** Ends the service because a part of it failed for good. Absent where nothing could end it. */
  readonly fail?: (error: Error) => void
}

export const CurrentShutdown: Context.Reference<Shutdown> = Context.Reference<Shutdown>(
  "@eduflow/events/bus/Shutdown",
  {
    defaultValue: () => ({ cutOff: false })
  }
)
