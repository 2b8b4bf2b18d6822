/** What the names of queues and the patterns of bindings mean. */
import { type Json, textOf } from "../inspect/ManagementApi.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import type * as Topology from "../topology/Topology.ts"

/** The subscriber of a queue, and which of its queues it is; undefined for every other queue. */
export const ownerOf = (
  namespace: string,
  queue: string
): { readonly kind: "sub" | "dead" | "parked"; readonly subscriber: string } | undefined => {
  for (const kind of ["sub", "dead", "parked"] as const) {
    const start = `${namespace}.${kind}.`
    if (queue.startsWith(start)) return { kind, subscriber: queue.slice(start.length) }
  }
  return undefined
}

/** The event, or the pattern of events, that a binding brings. */
export const eventOf = (pattern: string): string | undefined => {
  if (!pattern.startsWith(Ladder.anyDelay)) return pattern
  const rest = pattern.slice(Ladder.anyDelay.length)
  return rest.startsWith("publish.") ? rest.slice("publish.".length) : undefined
}

/** Twenty words say nothing to people. */
export const shownPattern = (pattern: string): string =>
  pattern.startsWith(Ladder.anyDelay)
    ? `routing key ${pattern.slice(Ladder.anyDelay.length)} after any delay`
    : pattern === ""
      ? "any routing key"
      : `routing key ${pattern}`

export const bindingOf = (binding: Json): Topology.Binding => ({
  _tag: "Binding",
  source: textOf(binding, "source"),
  destination: textOf(binding, "destination"),
  kind: textOf(binding, "destination_type") === "exchange" ? "exchange" : "queue",
  pattern: textOf(binding, "routing_key")
})
