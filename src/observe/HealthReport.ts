/**
 * What a health report says. The public names are `Health.Probe`, `Health.Check` and so on.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

/** `up` is fine, `degraded` works with less, `down` does not work. */
export type Status = "up" | "degraded" | "down"

export interface ProbeResult {
  readonly status: Status
  /** Why, in words for the person on call. It must not contain secrets. */
  readonly detail: string
}

/** One resource to check. */
export interface Probe {
  /** It becomes a label of a metric, so it must be one of a few. */
  readonly name: string
  /** Whether the service is not ready without this resource. A probe that is not critical can only degrade. */
  readonly critical: boolean
  /** A failure, a defect and no answer within the deadline count as `down`. */
  readonly check: Effect.Effect<ProbeResult, unknown>
}

/** What one probe found. */
export interface Check extends ProbeResult {
  readonly name: string
  readonly critical: boolean
  /** How long the probe took. */
  readonly took: Duration.Duration
  /** When it was first seen in this status. */
  readonly since: Date
}

export interface Report {
  readonly status: Status
  readonly time: Date
  readonly checks: ReadonlyArray<Check>
  /** Whether work may be sent here. It follows `status` after the patience has passed, so that it does not flap. */
  readonly ready: { readonly is: boolean; readonly since: Date; readonly detail: string }
}
