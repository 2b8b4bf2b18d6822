import { DeadLetters, EventBus, Health } from "../../src/index.ts"
import { Effect, Stream } from "effect"

export const replayRejected = Effect.gen(function* () {
  const deadLetters = yield* DeadLetters
  const rejected = yield* deadLetters.list("directory.accounts", { reason: "Rejected", limit: 20 })
  for (const { attempts, error, eventId, failures } of rejected) {
    yield* Effect.log(`${eventId}: ${error.message} after ${attempts} attempts`, failures)
  }
  const chosen = { reason: "Rejected", newerThan: "1 day" } as const
  const would = yield* deadLetters.replay("directory.accounts", { ...chosen, dryRun: true })
  yield* Effect.log(`${would.replayed} of them, ${would.guarded} were replayed too often`, would.errorTags)
  return yield* deadLetters.replay("directory.accounts", { ...chosen, rate: 100 })
})

export const watchFailures = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* Stream.runForEach(bus.failures, (failure) =>
    Effect.logWarning(`${failure.subscriber}: ${failure.error.message}`)
  )
})

export const isReady = Effect.gen(function* () {
  const health = yield* Health
  yield* health.add({
    name: "database",
    critical: true,
    check: Effect.succeed({ status: "up", detail: "4 connections" })
  })
  return (yield* health.report).status
})
