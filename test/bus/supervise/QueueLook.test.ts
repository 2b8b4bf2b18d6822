/** A queue that does not answer is told from one that is empty (P11). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Monotonic from "../../../src/observe/Monotonic.ts"
import type { Depth } from "../../../src/bus/port/Broker.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { BrokerRefused, ConnectionFailed } from "../../../src/bus/port/BrokerReason.ts"
import { QueueLook } from "../../../src/bus/supervise/QueueLook.ts"
import * as Stage from "../Stage.ts"

const timedOut = new BrokerError({
  reason: new BrokerRefused({ operation: "looking at queue q", detail: "no answer within 10000 ms" })
})
const cutOff = new BrokerError({ reason: new ConnectionFailed({ address: "a:1", detail: "gone" }) })

const begin = Effect.gen(function* () {
  const logged: Array<string> = []
  const note = (message: string): void => void logged.push(message)
  const log = { debugEnabled: false, debug: note, info: note, warning: note, error: note }
  const fine: Depth = { ready: 3, consumers: 1 }
  const now: { answer: Effect.Effect<Depth, BrokerError>; isConsuming: boolean } = {
    answer: Effect.succeed(fine),
    isConsuming: true
  }
  const look = new QueueLook(
    {
      broker: { depth: () => Effect.suspend(() => now.answer) },
      subscriber: "s",
      log,
      isConsuming: () => now.isConsuming
    },
    yield* Monotonic.make
  )
  yield* Effect.forkScoped(look.run)
  yield* Stage.turns
  return { fine: Effect.succeed(fine), logged, look, now }
})

describe("a look at the queue of a subscriber", () => {
  for (const [what, answer, why] of [
    ["gets no answer yet", Effect.never, /no answer so far/],
    ["gets none in time", Effect.delay(Effect.fail(timedOut), "10 seconds"), /no answer within 10000 ms/],
    ["finds no consumer, although there is one", Effect.succeed({ ready: 0, consumers: 0 }), /knows no consumer/]
  ] as const)
    it.effect(`P11: that ${what} says so after seconds, and takes it back at the first answer`, () =>
      Effect.gen(function* () {
        const { fine, logged, look, now } = yield* begin
        assert.isUndefined(look.fault())
        assert.deepStrictEqual(look.depth(), { ready: 3, consumers: 1 })
        now.answer = answer
        yield* Stage.pass(Stage.seconds(19), 500)
        assert.isUndefined(look.fault())
        yield* Stage.pass(Stage.seconds(11), 500)
        assert.match(String(look.fault()), /has not answered for 1\d s/)
        if (what !== "gets no answer yet") {
          assert.match(String(look.fault()), why)
          assert.deepStrictEqual(logged, ["the queue of a subscriber does not answer"])
          now.answer = fine
          yield* Stage.pass(Stage.seconds(13), 500)
          assert.isUndefined(look.fault())
          assert.deepStrictEqual(look.depth(), { ready: 3, consumers: 1 })
          assert.strictEqual(logged[1], "the queue of a subscriber answers again")
        } else assert.match(String(look.fault()), why)
      })
    )

  it.effect("P11: that finds no consumer where there should be none, or no connection, says nothing", () =>
    Effect.gen(function* () {
      const { logged, look, now } = yield* begin
      now.isConsuming = false
      now.answer = Effect.succeed({ ready: 0, consumers: 0 })
      yield* Stage.pass(Stage.minutes(2), Stage.seconds(1))
      assert.isUndefined(look.fault())
      now.answer = Effect.fail(cutOff)
      yield* Stage.pass(Stage.minutes(2), Stage.seconds(1))
      assert.isUndefined(look.fault())
      assert.isUndefined(look.depth())
      assert.deepStrictEqual(logged, [])
    })
  )
})
