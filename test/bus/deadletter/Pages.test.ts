/** Pages of dead letters: each letter once, whatever their ids are. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Broker } from "../../../src/bus/port/Broker.ts"
import { inFlight } from "../../../src/bus/port/Broker.ts"
import type { DeadLetters } from "../../../src/bus/deadletter/DeadLetters.ts"
import { upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

const name = "mailer"

/** A stage with letters of these ids; each letter's key is its number. */
const withIds = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
  const stage = yield* Stage.make
  yield* stage.broker.declare({ name, ordering: "none", patterns: ["a.b"] })
  for (const [n, id] of ids.entries()) yield* put(stage.broker, id, `{"n":${n}}`)
  return stage
})

const put = (broker: Broker["Service"], messageId: string, body: string) =>
  Effect.callback<void>((resume) =>
    broker.send(
      inFlight(
        {
          to: { _tag: "DeadLetter", subscriber: name },
          key: undefined,
          body,
          properties: { messageId, type: "a.b", timestamp: 0, appId: "", contentType: "application/json" },
          headers: { "bus-reason": "Exhausted", "bus-event-id": messageId }
        },
        () => resume(Effect.void)
      )
    )
  )

/** The bodies of all pages, in order. */
const walked = Effect.fnUntraced(function* (letters: DeadLetters["Service"], limit: number) {
  const bodies: Array<string> = []
  let after: string | undefined
  for (;;) {
    const found = yield* letters.list(name, { limit, ...(after !== undefined && { after }) })
    if (found.length === 0) return bodies
    bodies.push(...found.map(({ body }) => body.toString()))
    assert.isAtMost(bodies.length, 20, "pages without an end")
    after = found.at(-1)?.cursor
  }
})

describe("pages of dead letters", () => {
  for (const limit of [1, 2, 3, 100])
    it.effect(`P8: of ${limit} show each letter once, also where several have one id or none`, () =>
      Effect.gen(function* () {
        const ids = ["", "", "", "one", "one", "0:one", "one", "1:one", "", "two"]
        const { letters } = yield* withIds(ids)
        assert.deepStrictEqual(
          yield* walked(letters, limit),
          ids.map((_, n) => `{"n":${n}}`)
        )
      })
    )

  it.effect("P8: large letters end a page early, and the next one goes on behind them", () =>
    Effect.gen(function* () {
      const { broker, letters } = yield* withIds([])
      const large = "x".repeat(3 * 1024 * 1024)
      for (const n of upTo(5)) yield* put(broker, "same", `${n}${large}`)
      assert.deepStrictEqual(
        (yield* walked(letters, 100)).map((body) => body[0]),
        ["0", "1", "2", "3", "4"]
      )
    })
  )

  it.effect("P8: a place that is none, or whose letter has left the queue, is an error and no end", () =>
    Effect.gen(function* () {
      const { letters } = yield* withIds(["one", "two", "three"])
      assert.include(
        (yield* Effect.flip(letters.list(name, { after: "one" }))).message,
        `"one" is not the place of a letter`
      )
      const [first] = yield* letters.list(name, { limit: 1 })
      yield* letters.discard(name, { ids: ["one"] })
      const { message } = yield* Effect.flip(letters.list(name, { after: first?.cursor ?? "" }))
      assert.include(message, `the letter "0:one" is not in the queue any more`)
      assert.include(message, "List again from the oldest letter on")
    })
  )
})
