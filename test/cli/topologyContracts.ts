/** The contracts of a service that has changed: another event, an order by key. */
import { Schema } from "effect"
import { Event, EventGroup } from "../../src/index.ts"

const make = <const Name extends string>(name: Name) =>
  Event.make(name, {
    version: 1,
    data: Schema.Struct({ text: Schema.String }),
    key: (posted: { readonly text: string }) => posted.text
  })

export const Posted = make("test.posted")
export const Graded = make("test.graded")
export const all = EventGroup.make(make("other.opened"), make("other.closed"))

export const subscribers = [
  { name: "mailer", events: [Posted, Graded], ordering: "key", onBlocked: "park", handler: () => {} },
  { name: "auditor", events: all.match("other.#") }
]
