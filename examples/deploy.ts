import { CurrentActor, EventBus, runMain, Subscriber } from "@eduflow/events"
import { Effect, Exit, Layer, Scope } from "effect"
import { AccountClosed, ProfileUpdated } from "./events.ts"

/** Before the deploy: it handles both events. */
const Before = Subscriber.layer("mail.accounts", {
  events: [AccountClosed, ProfileUpdated],
  handler: (event) => Effect.log(`before: ${event.type}`)
})

/** After the deploy: profiles are handled elsewhere, but the queue is still bound to their event. */
export const After = Subscriber.layer("mail.accounts", {
  events: [AccountClosed],
  retired: [ProfileUpdated, "user.account.imported"],
  handler: (event) => Effect.log(`goodbye ${event.data.userId}`)
})

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  const before = yield* Scope.make()
  yield* Layer.buildWithScope(Before, before)
  yield* Scope.close(before, Exit.void)
  yield* Layer.build(After)
  yield* bus
    .publish(ProfileUpdated, { userId: "u-1", email: "u-1@example.org", language: "en" })
    .pipe(Effect.provideService(CurrentActor, { id: "u-1", role: "student" }))
  yield* bus.publish(AccountClosed, { userId: "u-1" })
  yield* Effect.sleep("500 millis")
}).pipe(Effect.scoped)

if (import.meta.main) {
  runMain(Effect.provide(program, EventBus.layerMemory()))
}
