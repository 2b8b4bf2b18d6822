import { EventBus, Later, Reject, runMain, Subscriber } from "@eduflow/events"
import { Effect, Layer, Schedule, Schema, Stream } from "effect"
import { AccountClosed, user } from "./events.ts"

class MailServerAway extends Schema.TaggedError<MailServerAway>()("MailServerAway", {}) {}

export const Directory = Subscriber.layer("directory.accounts", {
  events: user.match("user.#"),
  handler: (event, { attempt }) =>
    Effect.gen(function* () {
      if (event.type === "user.profile.updated")
        return yield* Effect.log(`${event.data.userId} reads ${event.data.language}`)
      if (event.data.userId === "nobody") return yield* new Reject({ reason: "an account without a user" })
      if (event.data.userId === "u-9" && attempt === 1) return yield* new MailServerAway()
      return yield* Effect.log(`account of ${event.data.userId} closed, attempt ${attempt}`)
    }),
  retry: Schedule.exponential("100 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 5 })),
  ordering: "key",
  concurrency: 8
})

export const Goodbye = Subscriber.layer("mail.goodbye", {
  events: [AccountClosed],
  handler: (event) => (isNight() ? Effect.fail(Later.in("1 hour")) : Effect.log(`goodbye ${event.data.userId}`)),
  deadline: "10 seconds"
})

const isNight = (): boolean => false

export const closedAccounts = Effect.gen(function* () {
  const bus = yield* EventBus
  return bus.stream([AccountClosed]).pipe(
    Stream.filter((item) => item._tag === "Event"),
    Stream.map(({ event }) => event.data.userId)
  )
})

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* bus.publish(AccountClosed, { userId: "u-9" })
  yield* bus.publish(AccountClosed, { userId: "u-1" })
  yield* Effect.sleep("1 second")
})

if (import.meta.main) {
  runMain(
    program.pipe(Effect.provide(Layer.merge(Directory, Goodbye).pipe(Layer.provideMerge(EventBus.layerMemory()))))
  )
}
