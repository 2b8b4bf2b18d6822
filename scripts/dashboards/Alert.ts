/**
 * An alert rule: a query that has a result while something is wrong, how long it must have one, and the text for the
 * person on call.
 */
import type { Duration } from "effect"
import { type AttributeName, prometheusLabel } from "../../src/observe/MetricDefinition.ts"
import type { Query } from "./Query.ts"
import type { ScaledDurations } from "./ScaledDurations.ts"

export interface Alert {
  readonly name: `EventBus${string}`
  /** `critical`: events are not published or handled, page someone. `warning`: investigate during working hours. */
  readonly severity: "critical" | "warning"
  readonly query: (spans: ScaledDurations) => Query
  /** How long the query must have had a result before the alert fires. */
  readonly lasting: Duration.Input
  /** One line; `{{ $labels.x }}` and `{{ $value }}` are filled in. */
  readonly summary: string
  /** What is wrong, and the consequences. The runbook says what to do. */
  readonly description: string
}

/** The value of a label in a summary or a description. */
export const label = (name: AttributeName | "job" | "instance"): string => `{{ $labels.${prometheusLabel(name)} }}`

/** The anchor of its section in the runbook, as GitHub derives it from the heading. */
export const anchorOf = (name: string): string => `#${name.toLowerCase()}`

export interface Group {
  readonly name: string
  readonly alerts: ReadonlyArray<Alert>
}
