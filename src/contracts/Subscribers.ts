/** Subscribers beside the contracts: which of them get an event, and which subscribe to one that nobody publishes. */
import { matcher } from "../event/Name.ts"
import * as Finding from "./Finding.ts"
import type { Snapshot } from "./Snapshot.ts"

export interface Subscriber {
  readonly name: string
  /** Names and patterns of events. */
  readonly events: ReadonlyArray<string>
}

const matches = (pattern: string, event: string): boolean =>
  pattern === event || (/[*#]/.test(pattern) && matcher(pattern)(event))

/** Names of the subscribers that get this event. */
export const of = (event: string, subscribers: ReadonlyArray<Subscriber>): ReadonlyArray<string> =>
  subscribers
    .filter(({ events }) => events.some((pattern) => matches(pattern, event)))
    .map(({ name }) => name)
    .toSorted()

export const check = (
  before: Snapshot,
  after: Snapshot,
  subscribers: ReadonlyArray<Subscriber>
): ReadonlyArray<Finding.Finding> =>
  subscribers.flatMap(({ events, name }) =>
    events.flatMap((pattern) => {
      if (pattern.startsWith("bus.") || Object.keys(after.events).some((event) => matches(pattern, event))) return []
      const removed = Object.entries(before.events).filter(([event]) => matches(pattern, event))
      return removed.length > 0
        ? removed.map(([event, { version }]) => Finding.make("subscriber-of-removed", { event, version, before: name }))
        : [Finding.make("subscriber-unpublished", { event: pattern, version: 1, before: name })]
    })
  )
