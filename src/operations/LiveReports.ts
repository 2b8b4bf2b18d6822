/** What the operations answer that show events: live, and as they are remembered. */
import * as Schema from "effect/Schema"
import { Body, report, Time } from "./ReportForm.ts"

const event = {
  event: Schema.String,
  id: Schema.String,
  key: Schema.NullOr(Schema.String),
  /** When it was published, by the clock of its publisher. */
  at: Time,
  source: Schema.String,
  /** Null where its publisher gave none. */
  eventVersion: Schema.NullOr(Schema.Int),
  correlationId: Schema.NullOr(Schema.String),
  causationId: Schema.NullOr(Schema.String),
  /** Without what its contract marks as sensitive; null without a contract, unless bodies were asked for. */
  data: Schema.NullOr(Body),
  /** Why it cannot be read, or its contract refuses it: a subscriber would dead-letter it. */
  problem: Schema.NullOr(Schema.String)
}

export const Seen = report("event", event)

export const TailBegun = report("tail.begun", { pattern: Schema.String })
export const Gap = report("tail.gap", {
  /** The connection was lost, or the reader too slow: events may be missing here. */
  at: Time
})
export const Tail = report("tail", { pattern: Schema.String, events: Schema.Int, gaps: Schema.Int })

export const Last = report("last", {
  event: Schema.String,
  /** In the order of the keys that were asked for. */
  found: Schema.Array(Schema.Struct({ key: Schema.NullOr(Schema.String), seen: Schema.NullOr(Schema.Struct(event)) }))
})

export const History = report("history", {
  event: Schema.String,
  key: Schema.NullOr(Schema.String),
  /** Newest first. */
  events: Schema.Array(Schema.Struct(event))
})

export const byCommand = {
  tail: Schema.Union([TailBegun, Seen, Gap, Tail]),
  last: Last,
  history: History,
  watch: Schema.Union([TailBegun, Seen, Gap, Tail])
} as const
