/** What the operations on an outbox answer. */
import * as Schema from "effect/Schema"
import { report, Time } from "./ReportForm.ts"

export const Migrate = report("outbox.migrate", { dialect: Schema.String, migrations: Schema.Array(Schema.String) })

export const Refused = Schema.Struct({
  id: Schema.String,
  event: Schema.String,
  key: Schema.NullOr(Schema.String),
  reason: Schema.String,
  appended: Time,
  refused: Time
})

export const Status = report("outbox.status", {
  /** Committed events that are not published, at most 100,000. */
  pending: Schema.Int,
  /** Age of the oldest of them. */
  oldestSeconds: Schema.Finite,
  /** Events that were set aside, at most 100,000. */
  refused: Schema.Int,
  /** The first hundred of them. */
  refusals: Schema.Array(Refused)
})

const worked = {
  /** Whether nothing was done. */
  dryRun: Schema.Boolean,
  /** How many events, or how many there would be. */
  events: Schema.Int
}

export const Retry = report("outbox.retry", worked)
export const Purge = report("outbox.purge", { ...worked, state: Schema.Literals(["sent", "refused"]) })
