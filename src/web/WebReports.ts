/** What is answered over HTTP alone: who is asking, and how far the replays and discards of this server are. */
import * as Schema from "effect/Schema"
import { report } from "../operations/ReportForm.ts"

export const Session = report("session", {
  /** As `authorize` named them. */
  operator: Schema.String,
  /** Whether this server refuses what changes something. */
  readOnly: Schema.Boolean,
  /** The version of the library. */
  library: Schema.String,
  /** Names of the events whose contracts this server has: bodies are shown for these alone. */
  events: Schema.Array(Schema.String),
  subscribers: Schema.Array(Schema.String),
  /** Why an event may be given up. */
  reasons: Schema.Array(Schema.String)
})

export const Work = report("work", {
  running: Schema.Array(
    Schema.Struct({
      /** The name that its request gave it. */
      work: Schema.NullOr(Schema.String),
      verb: Schema.Literals(["replay", "discard"]),
      source: Schema.String,
      by: Schema.String,
      dryRun: Schema.Boolean,
      startedAt: Schema.String,
      done: Schema.Int,
      /** Letters that were there when it began; null until they are counted. */
      found: Schema.NullOr(Schema.Int)
    })
  )
})
