/** What both sides ask. */
import { Schema } from "effect"
import { Event } from "../../src/index.ts"

export const namespace = "bench-requests"
export const byHandQueue = "bench-requests-by-hand"

export const Ask = Event.request("bench.ask", {
  version: 1,
  data: Schema.Struct({ n: Schema.Int }),
  reply: Schema.Struct({ n: Schema.Int })
})
