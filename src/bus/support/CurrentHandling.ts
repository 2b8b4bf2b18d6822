/**
 * The event that is being handled: it is the cause of what its handler publishes.
 */
import * as Context from "effect/Context"
import type { Actor } from "../../event/Actor.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type { Baggage } from "../../event/flow/Baggage.ts"

/** The event whose handler runs in this fiber: the default cause and correlation of what it publishes. */
export interface Handling {
  /** Undefined for a batch of several: none of them is the cause. */
  readonly id: string | undefined
  readonly correlationId: string | undefined
  /** Who acted, as the event claims: its handler acts on their behalf. */
  readonly actor: Actor | undefined
  /** Of a batch in which events have some: that of one of them. */
  readonly baggageOf?: (event: Envelope.Envelope) => Baggage | undefined
}
export const CurrentHandling: Context.Reference<Handling | undefined> = Context.Reference<Handling | undefined>(
  "@eduflow/events/bus/CurrentHandling",
  { defaultValue: () => undefined }
)
