import { EventBus, Health, runMain } from "@eduflow/events"
import { Effect } from "effect"

export const status = Effect.gen(function* () {
  const health = yield* Health
  yield* health.add({
    name: "database",
    critical: true,
    check: Effect.succeed({ status: "up", detail: "4 connections" })
  })
  return (yield* health.report).status
})

if (import.meta.main) runMain(status.pipe(Effect.tap(Effect.log), Effect.provide(EventBus.layerMemory())))
