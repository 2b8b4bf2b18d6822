/** Redis that is not there when a service starts: one line says so at once, and waits for no second to pass. */
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as RedisClient from "../../../src/redis/connection/RedisClient.ts"
import { freePort } from "../../support/Port.ts"
import { recordedLog } from "../../support/RecordedLog.ts"
import { until } from "../support.ts"

it.effect("is reported by its first failed attempt, and by no other", () => {
  const { layer, of } = recordedLog()
  const said = () => of("not connected to Redis yet")
  return Effect.gen(function* () {
    const port = yield* Effect.promise(freePort)
    const client = yield* RedisClient.make({ url: Redacted.make(`redis://127.0.0.1:${port}`) })
    // The clock stands still: no line comes from the time that has passed.
    yield* TestClock.withLive(
      until(
        "the first attempt has failed, and its line is written",
        Effect.sync(() => client.status()._tag === "Down" && said().length > 0)
      )
    )
    for (let n = 0; n < 5; n++) yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(
      said().map(({ level }) => level),
      ["Warn"]
    )
    const { detail, remedy } = said()[0]?.fields ?? {}
    assert.include(String(detail), "ECONNREFUSED")
    assert.include(String(remedy), "publishes and handling go on without it")
  }).pipe(Effect.scoped, Effect.provide(layer))
})
