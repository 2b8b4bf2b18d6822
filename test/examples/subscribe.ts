import { EventBus, Later, Reject, Subscriber } from "../../src/index.ts"
import { Effect, Schedule, Schema, Stream } from "effect"
import { AccountClosed, user } from "./define.ts"

class MailServerAway extends Schema.TaggedError<MailServerAway>()("MailServerAway", {}) {}

export const Directory = Subscriber.layer("directory.accounts", {
  events: user.match("user.#"),
  handler: (event, { attempt }) =>
    Effect.gen(function* () {
      if (event.type === "user.profile.updated")
        return yield* Effect.log(`${event.data.userId} reads ${event.data.language}`)
      if (event.data.userId === "") return yield* new Reject({ reason: "an account without a user" })
      if (event.data.userId === "u-9" && attempt === 1) return yield* new MailServerAway()
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

export const closedAccounts = Effect.gen(function* () {
  const bus = yield* EventBus
  return bus.stream([AccountClosed]).pipe(
    Stream.filter((tail) => tail._tag === "Event"),
    Stream.map(({ event }) => event.data.userId)
  )
})

const isNight = (): boolean => false

export const Billing = Subscriber.layer("billing.accounts", {
  events: [AccountClosed],
  handler: (event, { fence }) => Effect.log(`final invoice for ${event.data.userId}, claim ${fence}`),
  idempotent: true,
  breaker: { failures: 10, openFor: "30 seconds" },
  rateLimit: { limit: 100, window: "1 second" }
})

export const Ledger = Subscriber.layer("ledger.accounts", {
  events: [AccountClosed],
  handler: (event) => Effect.log(`book ${event.data.userId}`),
  ordering: "key",
  onBlocked: "park",
  retry: Schedule.exponential("1 minute").pipe(Schedule.upTo({ duration: "3 days" }))
})
