/**
 * An alert rule: a query that has a result while something is wrong, for how long before somebody is
 * called, and what that somebody is told.
 */
import type { Duration } from "effect"
import { type AttributeName, prometheusLabel } from "../../src/observe/Definition.ts"
import type { Query } from "./Query.ts"
import type { Spans } from "./Span.ts"

export interface Alert {
  readonly name: `EventBus${string}`
  /** `critical`: events are not published or handled; call somebody. `warning`: look at it in working hours. */
  readonly severity: "critical" | "warning"
  readonly query: (spans: Spans) => Query
  /** How long the query must have had a result. */
  readonly lasting: Duration.Input
  /** One line; `{{ $labels.x }}` and `{{ $value }}` are filled in. */
  readonly summary: string
  /** What is wrong and what it leads to. What to do is in the runbook. */
  readonly description: string
}

/** A label in a summary or a description. */
export const label = (name: AttributeName | "job" | "instance"): string => `{{ $labels.${prometheusLabel(name)} }}`

/** Where its section of the runbook is, as GitHub makes anchors of headings. */
export const anchorOf = (name: string): string => `#${name.toLowerCase()}`

export interface Group {
  readonly name: string
  readonly alerts: ReadonlyArray<Alert>
}
