import { CurrentActor, EventBus, runMain } from "@eduflow/events"
import { Effect } from "effect"
import { AccountClosed, ProfileUpdated } from "./events.ts"

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
    Effect.as("a subscriber is bound"),
    Effect.catchReason("PublishError", "Unroutable", () => Effect.succeed("no subscriber is bound")),
    Effect.catchTag("PublishError", (error) =>
      error.isRetryable ? Effect.succeed(`publish it again, with the id ${error.id}`) : Effect.fail(error)
    )
  )
  return { routed, outcome }
})

if (import.meta.main) {
  runMain(program.pipe(Effect.tap(Effect.log), Effect.provide(EventBus.layerMemory())))
}
