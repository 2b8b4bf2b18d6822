/** Unbinds an event from subscribers. What is queued stays, for the subscriber to handle or to put off. */
import type { Retired, Wanted } from "../../bus/port/Administration.ts"
import { topicMatches } from "../../event/Name.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import type { Listing } from "./Access.ts"
import { bindingOf, eventOf, ownerOf } from "./Names.ts"
import type { Plan } from "./RetirePlan.ts"

export const planOf = (
  namespace: string,
  { name, subscribers }: Retired & { readonly _tag: "Event" },
  { names, specs }: Wanted,
  listing: Listing | undefined
): Plan => {
  const bound =
    listing === undefined
      ? (subscribers.length > 0 ? subscribers : [...specs.map((spec) => spec.name), ...names]).flatMap((subscriber) =>
          bindingsOf(namespace, subscriber, name)
        )
      : brought(namespace, listing).filter(
          ({ destination }) =>
            subscribers.length === 0 || subscribers.includes(ownerOf(namespace, destination)?.subscriber ?? "")
        )
  const exact = bound.filter(({ pattern }) => eventOf(pattern) === name)
  const byPattern = bound.filter(
    ({ pattern }) => eventOf(pattern) !== name && topicMatches((eventOf(pattern) ?? "").split("."), name.split("."))
  )
  const still = specs.filter(({ patterns }) => patterns.includes(name)).map((spec) => spec.name)
  return {
    queues: [...new Set(exact.map(({ destination }) => destination))],
    steps: exact.map((binding) => ({ _tag: "Unbind", binding }) as const),
    blocked: [],
    notes: [
      ...new Set(
        byPattern.map(
          ({ destination, pattern }) => `queue ${destination} still gets it by the pattern ${eventOf(pattern) ?? ""}`
        )
      ),
      ...still.map((subscriber) => `the contracts of ${subscriber} still list it: its next start binds it again`),
      ...(exact.length === 0
        ? []
        : [
            `what is queued of ${name} stays: its subscriber handles it while it knows the contract; without it, list it in \`retired\`, or it is put off for an hour and becomes a dead letter`
          ])
    ]
  }
}

/** Unbinding what is not bound changes nothing. */
const bindingsOf = (namespace: string, subscriber: string, event: string): ReadonlyArray<Topology.Binding> =>
  Topology.subscriber(namespace, { name: subscriber, ordering: "none", patterns: [event] }).flatMap(({ object }) =>
    object._tag === "Binding" &&
    object.destination === Topology.subscriberQueue(namespace, subscriber) &&
    eventOf(object.pattern) === event
      ? [object]
      : []
  )

/** The bindings that bring events to subscribers. */
const brought = (namespace: string, { bindings }: Listing): ReadonlyArray<Topology.Binding> =>
  bindings
    .map(bindingOf)
    .filter(
      ({ destination, pattern, source }) =>
        (source === Topology.events(namespace) || source === Ladder.deliverExchange(namespace)) &&
        ownerOf(namespace, destination)?.kind === "sub" &&
        eventOf(pattern) !== undefined
    )
