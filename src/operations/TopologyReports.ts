/** What operations on the topology answer, as schemas. */
import * as Schema from "effect/Schema"
import { report } from "./ReportForm.ts"

/** Null where it could not be seen from here. */
const Seen = Schema.NullOr(Schema.Int)

export const Difference = Schema.Struct({
  kind: Schema.Literals(["missing", "different", "unbound", "orphaned-queue", "orphaned-binding"]),
  entity: Schema.String,
  seen: Schema.String,
  mend: Schema.String
})

export const Cost = Schema.Struct({
  /** Of the namespace when everything is declared. */
  quorumQueues: Schema.Int,
  /** More of them that the delay ladder takes when delays first need its levels. */
  ladderQueues: Schema.Int,
  missingQueues: Seen,
  exchanges: Schema.Int,
  bindings: Schema.Int,
  /** File handles that RabbitMQ reserves for these queues on each node with a copy of them. */
  handles: Schema.Int,
  /** Files that a node may have open, and quorum queues of the virtual host. */
  nodeHandles: Seen,
  hostQuorumQueues: Seen
})

const compared = {
  namespace: Schema.String,
  differences: Schema.Array(Difference),
  /** What could not be seen from here, and what would show it. */
  unseen: Schema.Array(Schema.String),
  cost: Cost
}

export const Plan = report("topology.plan", compared)

export const Verify = report("topology.verify", {
  ...compared,
  /** Whether nothing differs. */
  matches: Schema.Boolean
})

export const Apply = report("topology.apply", {
  ...compared,
  /** What was missing before and is there now. */
  declared: Schema.Array(Schema.String)
})

export const Retire = report("topology.retire", {
  namespace: Schema.String,
  /** What was to be retired: `subscriber mailer` for example. */
  target: Schema.String,
  /** Whether nothing was done, and `steps` says what would be. */
  dryRun: Schema.Boolean,
  /** What the queues held before. */
  contents: Schema.Array(
    Schema.Struct({ queue: Schema.String, ready: Seen, unacknowledged: Seen, stuck: Seen, consumers: Seen })
  ),
  steps: Schema.Array(
    Schema.Struct({ action: Schema.Literals(["unbind", "delete"]), entity: Schema.String, done: Schema.Boolean })
  ),
  /** Why nothing, or nothing more, is done. */
  blocked: Schema.Array(Schema.String),
  notes: Schema.Array(Schema.String),
  unseen: Schema.Array(Schema.String)
})
