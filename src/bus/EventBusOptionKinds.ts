/** The options of a bus, and the kind of value that each of them takes. */
import * as Predicate from "effect/Predicate"
import * as Event from "../event/Event.ts"
import * as Kinds from "../event/options/OptionKinds.ts"

export const kinds = {
  source: Kinds.text,
  publishTimeout: Kinds.time,
  inFlight: Kinds.record({ count: Kinds.count, bytes: Kinds.count }),
  drainTimeout: Kinds.duration,
  authorise: Kinds.oneOf("contracts", "declared-only"),
  traceRelation: Kinds.oneOf("parent", "link"),
  publishes: Kinds.listOf(
    { expected: "a contract", holds: (value) => Predicate.hasProperty(value, Event.TypeId) },
    "a list of contracts"
  )
} satisfies Kinds.Kinds
