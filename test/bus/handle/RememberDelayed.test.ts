/** A delayed event enters the cache when it is delivered, from the one reading of its delivery. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema, SchemaTransformation } from "effect"
import * as Event from "../../../src/event/Event.ts"
import { fresh } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

/** An event that counts how often its data is decoded. */
const counted = () => {
  let decoded = 0
  const text = Schema.String.pipe(
    Schema.decodeTo(
      Schema.String,
      SchemaTransformation.transform({
        decode: (value: string) => {
          decoded++
          return value
        },
        encode: (value: string) => value
      })
    )
  )
  return {
    Happened: Event.make(fresh("counted"), { version: 1, data: Schema.Struct({ text }) }),
    decoded: () => decoded
  }
}

describe("a delayed event", () => {
  it.effect(
    "is remembered when it is delivered and not before, and is decoded once for the cache and the handler",
    () =>
      Effect.gen(function* () {
        const { bus, cache } = yield* Stage.make
        const { Happened, decoded } = counted()
        const handled: Array<string> = []
        yield* bus.subscribe(fresh(), {
          events: [Happened],
          handler: ({ data: { text } }) => Effect.sync(() => void handled.push(text))
        })
        yield* Effect.forkChild(bus.publish(Happened, { text: "a" }, { delay: "10 seconds" }), {
          startImmediately: true
        })
        yield* Stage.pass(9_000, 1_000)
        assert.isTrue(Option.isNone(yield* cache.last(Happened)))
        assert.deepStrictEqual([handled, decoded()], [[], 0])
        yield* Stage.pass(2_000, 1_000)
        assert.deepStrictEqual([handled, decoded()], [["a"], 1])
        assert.strictEqual(Option.getOrThrow(yield* cache.last(Happened)).data.text, "a")
      })
  )
})
