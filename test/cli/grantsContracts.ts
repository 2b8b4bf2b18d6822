/** A service that publishes one event and subscribes to it in two ways. */
import { Schema } from "effect"
import { Event } from "../../src/index.ts"

const data = Schema.Struct({ text: Schema.String })

export const Posted = Event.make("test.posted", { version: 1, data, key: (posted) => posted.text })
/** Of another service: it is subscribed to, and not published. */
export const Opened = Event.make("other.opened", { version: 1, data, key: (opened) => opened.text })

export const publishes = [Posted]
export const subscribers = [
  { name: "mailer", events: [Posted, Opened] },
  { name: "ledger", events: [Posted], ordering: "key", onBlocked: "park" }
]
