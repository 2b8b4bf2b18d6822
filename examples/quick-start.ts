import { Event, EventBus, EventBusLive, runMain, Subscriber } from "@eduflow/events"
import { Effect, Layer, Schedule, Schema } from "effect"

const GradePosted = Event.make("academic.grade.posted", {
  version: 1,
  data: Schema.Struct({ studentId: Schema.String, grade: Schema.Finite }),
  key: (grade) => grade.studentId
})

const GradeMailer = Subscriber.layer("notification.grade-mailer", {
  events: [GradePosted],
  handler: (event) => Effect.log(`mail to ${event.data.studentId}: ${event.data.grade}`),
  retry: Schedule.exponential("500 millis").pipe(Schedule.upTo({ times: 6 })),
  ordering: "key"
})

const Post = Layer.effectDiscard(
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.publish(GradePosted, { studentId: "s-1", grade: 93 })
  })
)

runMain(Post.pipe(Layer.provide(GradeMailer), Layer.provide(EventBusLive)))
