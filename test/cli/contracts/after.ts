/** The same after a change: a literal more, an event less, and a subscriber that still waits for it. */
import { Schema } from "effect"
import { Event } from "../../../src/index.ts"

export const Posted = Event.make("test.posted", {
  version: 1,
  data: Schema.Struct({ text: Schema.String, mood: Schema.Literals(["good", "bad", "mixed"]) }),
  key: (posted) => posted.text
})

const Removed = Event.make("test.removed", { version: 1, data: Schema.Struct({ text: Schema.String }) })
const Dreamt = Event.make("test.dreamt", { version: 1, data: Schema.Struct({ text: Schema.String }) })

export const subscribers = [
  { name: "mailer", events: [Posted, Removed] },
  { name: "archive", events: [Dreamt] }
]
