/** A replay reaches only the subscriber of the letter, and letters that come back name the replay. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { DeadLetters } from "../../../src/bus/deadletter/DeadLetters.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

describe("replay", () => {
  it.effect("R5: a letter that comes back names the replay that sent it", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Happened = numbered()
      yield* bus.subscribe("mailer", {
        events: [Happened],
        retry: Schedule.recurs(0),
        handler: () => Effect.fail("no")
      })
      yield* bus.publish(Happened, { n: 1 })
      yield* Stage.turns
      const fiber = yield* Effect.forkChild(letters.replay("mailer"))
      yield* Stage.turns
      const { replayId } = yield* Fiber.join(fiber)
      yield* Stage.turns
      assert.deepInclude((yield* letters.list("mailer"))[0], { replays: 1, replayId })
    })
  )

  it.effect("P8, N34: a retry whose queue was deleted is replayed to its subscriber alone, when that is back", () =>
    Effect.gen(function* () {
      const { broker, bus, letters, server } = yield* Stage.make
      const Happened = numbered()
      const [mailer, others] = [makeLedger(), makeLedger()]
      yield* bus.subscribe("others", { events: [Happened], handler: others.handler })
      let fails = true
      const options = {
        events: [Happened],
        retry: Schedule.spaced("5 seconds"),
        handler: (...delivery: Parameters<typeof mailer.handler>) =>
          Effect.suspend(() => (fails ? Effect.fail("not yet") : mailer.handler(...delivery)))
      } as const
      const first = yield* bus.subscribe("mailer", options)
      yield* Effect.forkChild(bus.publish(Happened, { n: 1 }), { startImmediately: true })
      yield* Stage.pass(1_000, 100)
      yield* first.drain
      server.deleteQueue("mailer")
      yield* Stage.pass(6_000, 1_000)
      assert.strictEqual(yield* letters.count(DeadLetters.undeliverable), 1)

      const early = yield* Effect.forkChild(letters.replay(DeadLetters.undeliverable))
      yield* Stage.pass(1_000, 100)
      assert.deepInclude(yield* Fiber.join(early), { replayed: 0, refused: 1, remaining: 1 })
      fails = false
      yield* broker.declare({ name: "mailer", ordering: "none", patterns: [Happened.name] })
      yield* bus.subscribe("mailer", options)
      const late = yield* Effect.forkChild(letters.replay(DeadLetters.undeliverable))
      yield* Stage.pass(1_000, 100)
      assert.deepInclude(yield* Fiber.join(late), { replayed: 1, refused: 0, remaining: 0 })
      assert.deepStrictEqual([mailer.numbers(), others.numbers()], [[1], [1]])
    })
  )
})
