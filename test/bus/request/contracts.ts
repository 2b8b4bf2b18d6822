/** A request with a declared error, and one without. */
import { Schema } from "effect"
import { Event } from "../../../src/index.ts"

export class NoSuchCourse extends Schema.TaggedError<NoSuchCourse>()("NoSuchCourse", {
  courseId: Schema.String
}) {}

export const SeatsLeft = Event.request("course.seats-left", {
  version: 1,
  data: Schema.Struct({ courseId: Schema.String }),
  key: ({ courseId }) => courseId,
  reply: Schema.Struct({ seats: Schema.Int, until: Schema.Date }),
  error: NoSuchCourse
})

export const Ping = Event.request("course.ping", {
  version: 1,
  data: Schema.Struct({ n: Schema.Int }),
  reply: Schema.Int
})
