/** Contracts of a service before a change. */
import { Schema } from "effect"
import { Event } from "../../../src/index.ts"

export const Posted = Event.make("test.posted", {
  version: 1,
  data: Schema.Struct({ text: Schema.String, mood: Schema.Literals(["good", "bad"]) }),
  key: (posted) => posted.text
})

export const Removed = Event.make("test.removed", { version: 1, data: Schema.Struct({ text: Schema.String }) })

export const subscribers = [{ name: "mailer", events: [Posted, Removed] }]
