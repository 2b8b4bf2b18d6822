/** Contracts and subscribers as a service gives them to the command line. */
import { Schema } from "effect"
import { Event, sensitive } from "../../src/index.ts"

export const Posted = Event.make("test.posted", {
  version: 1,
  data: Schema.Struct({ text: Schema.String, pin: Schema.optionalKey(sensitive(Schema.String)) }),
  key: (posted) => posted.text
})

export const subscribers = [{ name: "mailer", events: [Posted], ordering: "key", onBlocked: "park" }]
