/** Reports of failures, in this process and to others. */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, numbered, numbers } from "../setup/TestEvents.ts"
import { EventDeadLettered } from "../../../bus/delivery/EventDeadLettered.ts"
import type { BusFailure } from "../../../bus/delivery/FailureFeed.ts"
import { lettersOf, until } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"
import { Reject } from "../../../bus/subscriber/HandlerError.ts"

class Busy extends Error {
  readonly _tag = "Busy"
}

export const failureFeedCases: ReadonlyArray<BrokerCase> = [
  brokerCase("bus.failures reports the retries and dead letters of this process", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const name = fresh()
      const reported: Array<BusFailure> = []
      yield* bus.failures.pipe(
        Stream.runForEach((failure) => Effect.sync(() => void (failure.subscriber === name && reported.push(failure)))),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* bus.subscribe(name, {
        events: [Happened],
        retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 1 })),
        handler: () => Effect.fail(new Busy("still"))
      })
      const { id } = yield* bus.publish(Happened, { n: 1 })
      yield* until(
        () => `${reported.length} of 2`,
        () => reported.length >= 2
      )
      assert.deepInclude(reported[0], {
        _tag: "Retried",
        event: Happened.name,
        id,
        attempt: 1,
        retryIn: Duration.millis(10)
      })
      assert.deepInclude(reported[1], {
        _tag: "DeadLettered",
        event: Happened.name,
        id,
        attempts: 2,
        reason: "Exhausted"
      })
      assert.deepInclude(reported[1]?.error, { tag: "Busy", message: "still" })
    })
  ),
  brokerCase(
    "dead letters are announced to other processes: at most ten a second per subscriber, then their number, and none about bus.*",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const process = yield* start(connect())
        const Happened = numbered()
        const [name, silent, watcher] = [fresh(), fresh(), fresh()]
        const heard: Array<{
          readonly subscriber: string
          readonly count: number
          readonly eventId?: string
          readonly reason?: string
        }> = []
        let aboutOwn = 0
        yield* process.subscribe(watcher, {
          events: [EventDeadLettered],
          retry: Schedule.recurs(0),
          announceDeadLetters: true,
          handler: ({ data }) =>
            Effect.gen(function* () {
              if (data.subscriber === watcher) aboutOwn++
              if (data.subscriber !== name && data.subscriber !== silent) return
              heard.push(data)
              return yield* new Reject({ reason: "each of them is a dead letter too" })
            })
        })
        yield* bus.subscribe(silent, {
          events: [Happened],
          announceDeadLetters: false,
          handler: () => Effect.fail(new Reject({ reason: "silent" }))
        })
        yield* bus.subscribe(name, { events: [Happened], handler: () => Effect.fail(new Reject({ reason: "no" })) })
        const { id } = yield* bus.publish(Happened, { n: 0 })
        yield* until(
          () => "nothing heard",
          () => heard.length === 1
        )
        assert.deepInclude(heard[0], { subscriber: name, count: 1, eventId: id, reason: "Rejected" })
        yield* bus.publishAll(Happened, numbers(200, 1))
        yield* until(
          () => `${heard.length} announcements`,
          () => heard.reduce((sum, { count }) => sum + count, 0) >= 201
        )
        assert.strictEqual(
          heard.reduce((sum, { count }) => sum + count, 0),
          201
        )
        assert.isBelow(heard.length, 100)
        assert.isTrue(heard.some(({ count, eventId }) => count > 1 && eventId === undefined))
        assert.isTrue(heard.every(({ subscriber }) => subscriber === name))
        yield* lettersOf(process, watcher, heard.length)
        assert.strictEqual(aboutOwn, 0)
      })
  )
]
