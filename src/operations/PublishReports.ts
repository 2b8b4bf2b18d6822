/** What the operations answer that publish. */
import * as Schema from "effect/Schema"
import { report } from "./ReportForm.ts"

/** An event that was refused, or whose outcome is open. */
export const Refusal = Schema.Struct({
  /** From 1 up; of a single event 1. */
  line: Schema.Int,
  /** Null where it had none yet. */
  id: Schema.NullOr(Schema.String),
  /** `Invalid`, or another reason of a publish that failed. */
  reason: Schema.String,
  message: Schema.String
})

export type Refusal = typeof Refusal.Type

export const Publish = report("publish", {
  event: Schema.String,
  /** Whether nothing was sent, and the numbers say what would be. */
  dryRun: Schema.Boolean,
  /** Whether a contract judged the data. */
  checked: Schema.Boolean,
  /** The version that was published. */
  eventVersion: Schema.Int,
  confirmed: Schema.Int,
  /** Of the confirmed, those that no subscriber was bound to. */
  unrouted: Schema.Int,
  refused: Schema.Int,
  /** The first hundred. */
  refusals: Schema.Array(Refusal),
  /** The first line that was not sent, because the broker did not take those before it; null at the end of the input. */
  next: Schema.NullOr(Schema.Int),
  /** Of a single event that was confirmed. */
  id: Schema.NullOr(Schema.String)
})

export const byCommand = { publish: Publish } as const
