/** What the gate of contracts answers, as schemas. */
import * as Schema from "effect/Schema"
import { report } from "./ReportForm.ts"

const ContractFinding = Schema.Struct({
  rule: Schema.String,
  /** A notice does not fail. */
  level: Schema.Literals(["breaking", "notice"]),
  event: Schema.String,
  version: Schema.Int,
  /** Path within the data; empty for the whole. */
  field: Schema.String,
  affected: Schema.Array(Schema.Literals(["old", "new", "publishers", "readers", "askers"])),
  /** Of those that are known, the subscribers of the event. */
  subscribers: Schema.Array(Schema.String),
  seen: Schema.String,
  way: Schema.String
})

export const List = report("contracts.list", {
  events: Schema.Array(
    Schema.Struct({
      event: Schema.String,
      version: Schema.Int,
      key: Schema.NullOr(Schema.String),
      subscribers: Schema.Array(Schema.String)
    })
  )
})

export const Show = report("contracts.show", {
  event: Schema.String,
  subscribers: Schema.Array(Schema.String),
  /** As it stands in the snapshot. */
  contract: Schema.Unknown
})

export const Written = report("contracts.snapshot", {
  file: Schema.String,
  events: Schema.Int,
  /** Whether the file was written, because it was another before. */
  changed: Schema.Boolean
})

export const Check = report("contracts.check", {
  /** A file, and the revision it is of. */
  against: Schema.String,
  /** Whether nothing breaks. */
  compatible: Schema.Boolean,
  /** Whether the snapshot is that of these contracts. */
  current: Schema.Boolean,
  findings: Schema.Array(ContractFinding)
})

export const Diff = report("contracts.diff", {
  against: Schema.String,
  findings: Schema.Array(ContractFinding),
  changes: Schema.Array(
    Schema.Struct({
      event: Schema.String,
      path: Schema.String,
      before: Schema.NullOr(Schema.String),
      after: Schema.NullOr(Schema.String)
    })
  )
})
