import { createEventBus, Event } from "@eduflow/events"
import { Schedule, Schema } from "effect"

const GradePosted = Event.make("academic.grade.posted", {
  version: 1,
  data: Schema.Struct({ studentId: Schema.String, grade: Schema.Finite }),
  key: (grade) => grade.studentId
})

const bus = await createEventBus()

await bus.subscribe("notification.grade-mailer", {
  events: [GradePosted],
  handler: async (event) => console.log(`mail to ${event.data.studentId}: ${event.data.grade}`),
  retry: Schedule.exponential("500 millis").pipe(Schedule.upTo({ times: 6 })),
  ordering: "key"
})

await bus.publish(GradePosted, { studentId: "s-1", grade: 93 })

process.on("SIGTERM", () => bus.close())
