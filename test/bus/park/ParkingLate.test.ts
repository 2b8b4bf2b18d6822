/** Copies that a process sent before it lost its consumer, and that are stored when another one is active (P6). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schedule } from "effect"
import { inFlight, type InFlightMessage } from "../../../src/bus/port/Broker.ts"
import type { Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { killableProcess, pairs } from "./ParkingStage.ts"

describe("copies that are stored late", () => {
  for (const end of ["is handled", "fails"] as const)
    it.effect(`P6: the event whose copy came late ${end}, and its process dies`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const Changed = keyed()
        const name = fresh()
        const book = Stage.makeBook()
        const goesOn = yield* Deferred.make<void>()
        /** Copies that the first process has sent, and that are still on their way. */
        const late: Array<InFlightMessage> = []
        const options = {
          events: [Changed],
          ordering: "key",
          onBlocked: "park",
          retry: Schedule.spaced("20 minutes"),
          deadline: "10 minutes"
        } as const
        const fails = Effect.fail("no")
        const first = yield* killableProcess(stage.server, (broker) => ({
          send: (copy) => (copy.message.to._tag === "Parked" ? void late.push(copy) : broker.send(copy))
        }))
        yield* first.subscribe(name, { ...options, handler: () => fails })
        yield* stage.bus.publishAll(Changed, pairs(3))
        yield* Stage.pass(Stage.seconds(5), 500)
        assert.lengthOf(late, 1)
        yield* first.kill

        const second = yield* killableProcess(stage.server)
        yield* second.subscribe(name, {
          ...options,
          handler: (event: Entry["event"], info: Entry["info"]) =>
            Effect.gen(function* () {
              yield* book.note(event, info)
              yield* Deferred.await(goesOn)
              return end === "is handled" ? undefined : yield* fails
            })
        })
        yield* Stage.pass(Stage.seconds(5), 500)
        for (const { message } of late) stage.broker.send(inFlight(message, () => {}))
        yield* Stage.pass(Stage.seconds(5), 500)
        yield* stage.bus.publishAll(Changed, pairs(3, "a", 3))
        yield* Stage.pass(Stage.seconds(5), 500)
        yield* Deferred.succeed(goesOn, undefined)
        yield* Stage.pass(Stage.seconds(5), 500)
        assert.deepStrictEqual(
          book.entries.map(({ n }) => n),
          [0]
        )
        yield* second.kill

        const third = yield* killableProcess(stage.server)
        yield* third.subscribe(name, { ...options, handler: book.note })
        yield* Stage.pass(Stage.hours(1), Stage.seconds(10))
        const started = [...new Set(book.entries.map(({ n }) => n))]
        assert.deepStrictEqual(started, upTo(6))
      })
    )
})
