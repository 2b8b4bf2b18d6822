/** A contract that an assistant may be told of. */
import { Schema } from "effect"
import { Event, sensitive } from "../../src/index.ts"

export const Posted = Event.make("test.posted", {
  version: 1,
  data: Schema.Struct({ text: Schema.String, pin: sensitive(Schema.String) })
})

export const subscribers = [{ name: "mailer", events: [Posted] }]
