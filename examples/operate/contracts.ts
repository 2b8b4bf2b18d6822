/** What the command `eventbus` is given with `--contracts`: the contracts of a service, and what its subscribers are. */
import { Event } from "@eduflow/events"
import { Schema } from "effect"

export const GradePosted = Event.make("academic.grade.posted", {
  version: 1,
  data: Schema.Struct({ studentId: Schema.String, grade: Schema.Finite }),
  key: (grade) => grade.studentId
})

export const subscribers = [{ name: "notification.grade-mailer", events: [GradePosted], ordering: "key" }]
