/**
 * What each operation answers, as schemas: the same for the command line, HTTP and tools. A report says of which kind it
 * is and in which version. Within a version fields are added and never changed.
 */
import * as Schema from "effect/Schema"
import * as Contracts from "./ContractReports.ts"
import * as Fleet from "./FleetReports.ts"
import * as LiveReports from "./LiveReports.ts"
import * as LoadReports from "./LoadReports.ts"
import * as PublishReports from "./PublishReports.ts"
import { Grants } from "./GrantsReport.ts"
import * as Outbox from "./OutboxReports.ts"
import { Body, Counts, report, Time } from "./ReportForm.ts"
import * as Topology from "./TopologyReports.ts"

export { Body } from "./ReportForm.ts"

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

/** What a message has beside its body: what `import` needs. */
export const Message = Schema.Struct({
  contentType: Schema.NullOr(Schema.String),
  contentEncoding: Schema.NullOr(Schema.String),
  appId: Schema.NullOr(Schema.String),
  correlationId: Schema.NullOr(Schema.String),
  /** Those of the publisher, and the trace. */
  headers: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])),
  replayId: Schema.NullOr(Schema.String),
  firstSpan: Schema.NullOr(Schema.String)
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
  /** The last changes of its data by an operator, oldest first: when, and in which fields. */
  edits: Schema.Array(Schema.Struct({ at: Schema.String, paths: Schema.Array(Schema.String) })),
  /** Null unless it was asked for. */
  body: Schema.NullOr(Body),
  /** Null unless everything was asked for. Then the body is exactly what it was, with what is sensitive. */
  original: Schema.NullOr(Message)
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

export const Import = report("dead-letters.import", {
  dryRun: Schema.Boolean,
  /** Stored and confirmed. */
  imported: Schema.Int,
  /** In their queue already, and passed over. */
  present: Schema.Int,
  refused: Schema.Int,
  /** The first hundred. */
  refusals: Schema.Array(PublishReports.Refusal),
  /** The first line that the broker did not take; null at the end of the file. */
  next: Schema.NullOr(Schema.Int)
})

export const Edit = report("dead-letters.edit", {
  source: Schema.String,
  id: Schema.String,
  event: Schema.String,
  dryRun: Schema.Boolean,
  /** The fields that change. */
  changed: Schema.Array(Schema.String),
  replayId: Schema.String
})

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
  "dead-letters import": Import,
  "dead-letters edit": Edit,
  "dead-letters watch": Schema.Union([LiveReports.TailBegun, LetterDetail, LiveReports.Gap, LiveReports.Tail]),
  ...PublishReports.byCommand,
  ...LiveReports.byCommand,
  ...LoadReports.byCommand,
  ...Fleet.byCommand,
  grants: Grants,
  error: Failure
} as const
