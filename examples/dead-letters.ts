import { DeadLetters, EventBus, runMain } from "@eduflow/events"
import { Effect, Layer, Schedule, Stream } from "effect"
import { AccountClosed } from "./events.ts"
import { Directory } from "./subscribe.ts"

export const replayRejected = Effect.gen(function* () {
  const deadLetters = yield* DeadLetters
  const rejected = yield* deadLetters.list("directory.accounts", { reason: "Rejected", limit: 20 })
  for (const { attempts, error, eventId, failures } of rejected) {
    yield* Effect.log(`${eventId}: ${error.message} after ${attempts} attempts`, failures)
  }
  const filter = { reason: "Rejected", newerThan: "1 day" } as const
  const plan = yield* deadLetters.replay("directory.accounts", { ...filter, dryRun: true })
  yield* Effect.log(`${plan.replayed} would be replayed, ${plan.guarded} were replayed too often`, plan.errorTags)
  return yield* deadLetters.replay("directory.accounts", { ...filter, rate: 100 })
})

export const watchFailures = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* Stream.runForEach(bus.failures, (failure) =>
    Effect.logWarning(`${failure.subscriber}: ${failure.error.message}`)
  )
})

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* Effect.forkScoped(watchFailures)
  yield* bus.publish(AccountClosed, { userId: "nobody" })
  const { count } = yield* DeadLetters
  yield* Effect.repeat(count("directory.accounts"), {
    until: (dead) => dead > 0,
    schedule: Schedule.spaced("100 millis")
  })
  return yield* replayRejected
}).pipe(Effect.scoped)

if (import.meta.main) {
  runMain(
    program.pipe(Effect.tap(Effect.log), Effect.provide(Directory.pipe(Layer.provideMerge(EventBus.layerMemory()))))
  )
}
