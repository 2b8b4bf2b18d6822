/** The options of a bus, and the kind of value that each of them takes. */
import * as Kinds from "../event/options/OptionKinds.ts"

export const kinds = {
  source: Kinds.text,
  publishTimeout: Kinds.time,
  inFlight: Kinds.record({ count: Kinds.count, bytes: Kinds.count }),
  drainTimeout: Kinds.duration,
  authorise: Kinds.oneOf("contracts", "declared-only"),
  traceRelation: Kinds.oneOf("parent", "link")
} satisfies Kinds.Kinds
