/**
 * What each operation answers, as schemas: the same for the command line, HTTP and tools. A report says of which kind it
 * is and in which version. Within a version fields are added and never changed.
 */
import * as Schema from "effect/Schema"
import * as Contracts from "./ContractReports.ts"
import { Counts, report, Time } from "./ReportForm.ts"
import * as Outbox from "./OutboxReports.ts"
import * as Topology from "./TopologyReports.ts"

export const Finding = Schema.Struct({
  check: Schema.String,
  severity: Schema.Literals(["error", "warning"]),
  seen: Schema.String,
  mend: Schema.String
})

export const Doctor = report("doctor", {
  /** Whether nothing was found. */
  healthy: Schema.Boolean,
  findings: Schema.Array(Finding),
  /** What could not be seen from here, and what would show it. */
  unseen: Schema.Array(Schema.String),
  facts: Schema.Array(Schema.String)
})

export const Sources = report("dead-letters.sources", {
  sources: Schema.Array(
    Schema.Struct({
      source: Schema.String,
      /** Null where it could not be counted. */
      letters: Schema.NullOr(Schema.Int),
      problem: Schema.NullOr(Schema.String)
    })
  ),
  /** Whether these are all there are; otherwise only the subscribers that were named. */
  complete: Schema.Boolean
})

const summary = {
  id: Schema.String,
  event: Schema.String,
  key: Schema.NullOr(Schema.String),
  reason: Schema.String,
  errorTag: Schema.String,
  message: Schema.String,
  attempts: Schema.Int,
  firstFailure: Time,
  lastFailure: Time,
  replays: Schema.Int,
  /** Null where no signature is required. */
  signed: Schema.NullOr(Schema.Boolean),
  bytes: Schema.Int
}

export const Letter = Schema.Struct(summary)

export const Letters = report("dead-letters.list", {
  source: Schema.String,
  letters: Schema.Array(Letter),
  /** To be given as `after` for the next page; null where this page is not full. */
  next: Schema.NullOr(Schema.String)
})

/** A body as text where it is text. */
export const Body = Schema.Struct({
  encoding: Schema.Literals(["json", "text", "base64"]),
  value: Schema.Unknown
})

export const LetterDetail = report("dead-letters.letter", {
  source: Schema.String,
  ...summary,
  stack: Schema.NullOr(Schema.String),
  failures: Schema.Array(
    Schema.Struct({ at: Schema.String, attempt: Schema.Int, tag: Schema.String, message: Schema.String })
  ),
  host: Schema.String,
  library: Schema.String,
  publishedAt: Time,
  traceparent: Schema.NullOr(Schema.String),
  /** Null unless it was asked for. */
  body: Schema.NullOr(Body)
})

const worked = {
  source: Schema.String,
  /** Whether nothing was done, and the numbers say what would be. */
  dryRun: Schema.Boolean,
  skipped: Schema.Int,
  remaining: Schema.Int,
  events: Counts,
  reasons: Counts,
  errorTags: Counts
}

export const Replay = report("dead-letters.replay", {
  ...worked,
  replayId: Schema.String,
  replayed: Schema.Int,
  guarded: Schema.Int,
  refused: Schema.Int,
  refusals: Schema.Array(Schema.String)
})

export const Discard = report("dead-letters.discard", { ...worked, discarded: Schema.Int })

export const Export = report("dead-letters.export", { source: Schema.String, letters: Schema.Int, file: Schema.String })

export const Failure = report("error", { error: Schema.String, message: Schema.String, exitCode: Schema.Int })

/** Every kind of report, by the command that writes it. */
export const byCommand = {
  doctor: Doctor,
  "dead-letters sources": Sources,
  "dead-letters list": Letters,
  "dead-letters show": LetterDetail,
  "dead-letters replay": Replay,
  "dead-letters discard": Discard,
  "dead-letters export": Export,
  "topology plan": Topology.Plan,
  "topology apply": Topology.Apply,
  "topology verify": Topology.Verify,
  "topology retire": Topology.Retire,
  "outbox migrate": Outbox.Migrate,
  "outbox status": Outbox.Status,
  "outbox retry": Outbox.Retry,
  "outbox purge": Outbox.Purge,
  "contracts list": Contracts.List,
  "contracts show": Contracts.Show,
  "contracts snapshot": Contracts.Written,
  "contracts check": Contracts.Check,
  "contracts diff": Contracts.Diff,
  error: Failure
} as const
