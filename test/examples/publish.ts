import { CurrentActor, EventBus } from "../../src/index.ts"
import { Effect } from "effect"
import { AccountClosed, ProfileUpdated } from "./define.ts"

export const program = Effect.gen(function* () {
  const bus = yield* EventBus

  const { id, routed } = yield* bus
    .publish(ProfileUpdated, { userId: "u-1", email: "ann@example.org", language: "de" })
    .pipe(Effect.provideService(CurrentActor, { id: "u-1", role: "student" }))

  yield* bus.publish(AccountClosed, { userId: "u-2" }, { delay: "1 second", correlationId: id })
  yield* bus.publishAll(
    AccountClosed,
    ["u-3", "u-4", "u-5"].map((userId) => ({ userId }))
  )

  const outcome = yield* bus.publish(AccountClosed, { userId: "u-6" }, { mandatory: true }).pipe(
    Effect.as("somebody listens"),
    Effect.catchReason("PublishError", "Unroutable", () => Effect.succeed("nobody is bound to it")),
    Effect.catchTag("PublishError", (error) =>
      error.isRetryable ? Effect.succeed(`again, with id ${error.id}`) : Effect.fail(error)
    )
  )
  return { routed, outcome }
})
