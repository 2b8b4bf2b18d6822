/** The first look at a delivery: what is counted of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { sendRaw } from "../../../src/ports/conformance/setup/RawMessage.ts"
import { fresh, keyed, numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

describe("a subject", () => {
  it.effect("is counted if it is not the key of its contract, and only then", () =>
    Effect.gen(function* () {
      const { broker, bus } = yield* Stage.make
      const [Changed, Happened] = [keyed(), numbered()]
      const name = fresh()
      const keys: Array<string | undefined> = []
      yield* bus.subscribe(name, {
        events: [Changed, Happened],
        handler: ({ key }) => Effect.sync(() => void keys.push(key))
      })
      const emit = (type: string, subject: string | undefined) =>
        sendRaw(
          broker,
          type,
          JSON.stringify({ specversion: "1.0", id: "e", source: "s", type, subject, data: { n: 1, k: "mine" } })
        )
      for (const subject of [undefined, "mine", "yours", "theirs"]) yield* emit(Changed.name, subject)
      for (const subject of [undefined, "any"]) yield* emit(Happened.name, subject)
      yield* bus.publish(Changed, { n: 2, k: "mine" })
      yield* Stage.pass(1_000, 100)
      assert.deepStrictEqual(keys, ["mine", "mine", "mine", "mine", undefined, "any", "mine"])
      const counted = (yield* Metric.snapshot).find(
        ({ attributes, id }) =>
          id === "eventbus.subscriber.foreign_subjects" && attributes?.["eventbus.subscriber"] === name
      )
      assert.deepInclude(counted?.state, { count: 2 })
    })
  )
})
