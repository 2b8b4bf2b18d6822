/**
 * The event that is being handled: it is the cause of what its handler publishes.
 */
import * as Context from "effect/Context"

/** The event whose handler runs in this fiber: the default cause and correlation of what it publishes. */
export interface Handling {
  /** Undefined for a batch of several: none of them is the cause. */
  readonly id: string | undefined
  readonly correlationId: string | undefined
}
export const CurrentHandling: Context.Reference<Handling | undefined> = Context.Reference<Handling | undefined>(
  "@eduflow/events/bus/CurrentHandling",
  { defaultValue: () => undefined }
)
