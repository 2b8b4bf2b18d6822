import { Event, EventGroup, sensitive } from "@eduflow/events"
import { Effect, Schema } from "effect"

export const ProfileUpdated = Event.make("user.profile.updated", {
  version: 2,
  data: Schema.Struct({
    userId: Schema.String,
    email: sensitive(Schema.String),
    language: Schema.Literals(["en", "de", "fr"])
  }),
  key: (profile) => profile.userId,
  publishers: { roles: ["student", "teacher"], check: (actor, profile) => actor.id === profile.userId },
  cache: { last: true, history: 20 },
  previous: [
    {
      version: 1,
      data: Schema.Struct({ userId: Schema.String, email: Schema.String }),
      up: (old) => ({ ...old, language: "en" as const })
    }
  ]
})

export const AccountClosed = Event.make("user.account.closed", {
  version: 1,
  data: Schema.Struct({ userId: Schema.String }),
  key: (account) => account.userId
})

export const user = EventGroup.make(ProfileUpdated, AccountClosed)

/** What other teams and other languages need to know. */
export const schemas = Effect.sync(() => user.jsonSchema())

if (import.meta.main) {
  await Effect.runPromise(Effect.flatMap(schemas, (all) => Effect.log(JSON.stringify(all, null, 2))))
}
