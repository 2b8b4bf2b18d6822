/**
 * The calls that the runner of a subscriber without ordering makes about suspects: events that may end their process. The
 * room `park` implements them, so that handlers run without knowing how a suspect is kept apart.
 */
import type * as Effect from "effect/Effect"
import type { Decision } from "../delivery/Decision.ts"
import type { Work } from "../delivery/Work.ts"

export interface IsolationApi {
  /** Whether a delivery of the subscriber's own queue came back so often that it does not run from there. */
  readonly isolates: (work: Work) => boolean
  /** Moves it to the queue of suspects. Where that cannot be, a killer is dead-lettered and others run. */
  readonly isolate: (work: Work, isKiller: boolean) => Effect.Effect<Decision>
  /** What becomes of a suspect that has just arrived; undefined if it runs. */
  readonly arrived: (work: Work, mayStart: boolean) => Effect.Effect<Decision> | undefined
  /** What must happen when a suspect did not start, or was interrupted to be given back; undefined if nothing. */
  readonly undo: (work: Work) => Effect.Effect<Decision> | undefined
}
