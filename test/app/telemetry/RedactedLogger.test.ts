/** A logger behind the redaction sees no secrets, and the fiber that logs keeps its own annotations. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import * as RedactedLogger from "../../../src/app/telemetry/RedactedLogger.ts"
import * as Redaction from "../../../src/observe/Redaction.ts"

describe("RedactedLogger", () => {
  it.effect("P14: removes secrets from messages and annotations, for this logger alone", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const inner = Logger.make(({ fiber, message }) => {
        seen.push(message, fiber.getRef(References.CurrentLogAnnotations))
      })
      const log = (message: unknown) =>
        Effect.logInfo(message).pipe(
          Effect.andThen(References.CurrentLogAnnotations),
          Effect.annotateLogs({ apiKey: "hunter2", user: "Ada" }),
          Effect.provide(Logger.layer([RedactedLogger.make(inner, Redaction.make())]))
        )
      assert.deepStrictEqual(yield* log({ password: "hunter2", id: 1 }), { apiKey: "hunter2", user: "Ada" })
      assert.deepStrictEqual(seen, [[{ password: "<redacted>", id: 1 }], { apiKey: "<redacted>", user: "Ada" }])
    })
  )
})
