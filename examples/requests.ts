import { Event, EventBus, runMain, Subscriber } from "@eduflow/events"
import { Effect, Layer, Schema } from "effect"

export class NoSuchCourse extends Schema.TaggedError<NoSuchCourse>()("NoSuchCourse", { courseId: Schema.String }) {}

export const SeatsLeft = Event.request("academic.course.seats-left", {
  version: 1,
  data: Schema.Struct({ courseId: Schema.String }),
  key: ({ courseId }) => courseId,
  reply: Schema.Struct({ seats: Schema.Int }),
  error: NoSuchCourse
})

const seats = new Map([["c-7", 3]])

export const Seats = Subscriber.reply("academic.seats", {
  to: SeatsLeft,
  handler: ({ data: { courseId } }) => {
    const left = seats.get(courseId)
    return left === undefined ? Effect.fail(new NoSuchCourse({ courseId })) : Effect.succeed({ seats: left })
  }
})

export const enrol = (courseId: string) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const { seats } = yield* bus.request(SeatsLeft, { courseId }, { deadline: "2 seconds" })
    return `${courseId} has ${seats} seats`
  }).pipe(
    Effect.catchTag("NoSuchCourse", (error) => Effect.succeed(`there is no course ${error.courseId}`)),
    Effect.catchTag("RequestError", (error) => Effect.succeed(`no answer: ${error.reason._tag}`))
  )

/** Each subscriber that replies may answer: what comes within two seconds. */
export const everywhere = Effect.gen(function* () {
  const bus = yield* EventBus
  const answers = yield* bus.requestAll(SeatsLeft, { courseId: "c-7" }, { within: "2 seconds", atMost: 1 })
  return answers.map(({ result, subscriber }) => `${subscriber}: ${result._tag}`)
})

export const program = Effect.gen(function* () {
  return [yield* enrol("c-7"), yield* enrol("c-8"), ...(yield* everywhere)]
})

export const service = Seats.pipe(Layer.provideMerge(EventBus.layerMemory({ source: "academic" })))

if (import.meta.main) {
  runMain(Effect.flatMap(program, (lines) => Effect.log(lines.join(", "))).pipe(Effect.provide(service)))
}
