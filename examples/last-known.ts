import { CurrentActor, EventBus, EventCache, runMain, TemporaryState } from "@eduflow/events"
import { Effect, Schema, Stream } from "effect"
import { ProfileUpdated } from "./events.ts"

export const lastProfile = Effect.gen(function* () {
  const cache = yield* EventCache
  const last = yield* cache.last(ProfileUpdated, "u-1")
  const many = yield* cache.lastMany(ProfileUpdated, ["u-1", "u-2"])
  const before = yield* cache.history(ProfileUpdated, { before: new Date("2100-01-01"), limit: 10 })
  const all = yield* cache.historyStream(ProfileUpdated).pipe(Stream.take(1_000), Stream.runCollect)
  return { last, many, before, all }
})

export const languages = Effect.gen(function* () {
  const bus = yield* EventBus
  return bus.watch(ProfileUpdated, "u-1").pipe(Stream.map(({ data }) => data.language))
})

const Code = Schema.Struct({ digits: Schema.String, tries: Schema.Finite })

export const login = Effect.gen(function* () {
  const codes = yield* TemporaryState.make("login-codes", { schema: Code, timeToLive: "10 minutes" })
  yield* codes.set("u-1", { digits: "123456", tries: 0 })
  return yield* codes.get("u-1")
})

export const program = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* bus.publish(ProfileUpdated, { userId: "u-1", email: "ann@example.org", language: "de" })
  yield* Effect.sleep("200 millis")
  const { all, last } = yield* lastProfile
  yield* Effect.log(
    `${all.length} remembered, the last one speaks ${last._tag === "Some" ? last.value.data.language : "?"}`
  )
  yield* Effect.log(yield* login)
}).pipe(Effect.scoped, Effect.provideService(CurrentActor, { id: "u-1", role: "student" }))

if (import.meta.main) runMain(program.pipe(Effect.provide(EventBus.layerMemory())))
