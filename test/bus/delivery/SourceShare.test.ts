/** Events of one source that wait leave room in the window for events of other sources (P5). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

const isLoud = (n: number): boolean => n < 100

/** A subscriber with a window of eight. The loud source publishes two events for each of 16 keys, the quiet one three. */
const setUp = Effect.fnUntraced(function* (wait: "1 minute" | "600 millis") {
  const stage = yield* Stage.make
  const loud = yield* Stage.runningOut(start(stage.connect({ source: "loud" })))
  const Changed = keyed()
  const ledger = makeLedger()
  const name = fresh()
  let isDown = true
  const options = {
    events: [Changed],
    ordering: "key",
    prefetch: 8,
    retry: Schedule.spaced(wait),
    handler: (event: Parameters<typeof ledger.handler>[0], info: Parameters<typeof ledger.handler>[1]) =>
      isDown && isLoud(event.data.n) ? Effect.fail("down") : ledger.handler(event, info)
  } as const
  const publishLoud = loud.bus.publishAll(
    Changed,
    upTo(32).map((n) => ({ n, k: `k${n % 16}` }))
  )
  const publishQuiet = stage.bus.publishAll(
    Changed,
    upTo(3).map((n) => ({ n: 100 + n, k: "quiet" }))
  )
  const mend = (): void => void (isDown = false)
  return { ...stage, ledger, mend, name, options, publishLoud, publishQuiet }
})

const assertAllInOrder = (handled: ReadonlyArray<number>) => {
  assert.deepStrictEqual(
    handled.filter(isLoud).toSorted((a, b) => a - b),
    upTo(32)
  )
  for (const n of upTo(16)) assert.isBelow(handled.indexOf(n), handled.indexOf(n + 16))
}

describe("a source whose events all wait", () => {
  for (const wait of ["1 minute", "600 millis"] as const)
    it.effect(`P5, P6: leaves room for another one: a retry after ${wait}`, () =>
      Effect.gen(function* () {
        const { bus, ledger, letters, mend, name, options, publishLoud, publishQuiet } = yield* setUp(wait)
        const subscription = yield* bus.subscribe(name, options)
        yield* publishLoud
        yield* publishQuiet
        yield* Stage.pass(Stage.seconds(10), 100)
        assert.deepStrictEqual(ledger.numbers(), [100, 101, 102])
        assert.isAbove((yield* subscription.stats).parked, 0)
        mend()
        yield* Stage.pass(Stage.minutes(3), 1_000)
        assertAllInOrder(ledger.numbers())
        assert.deepStrictEqual(yield* letters.list(name), [])
        assert.deepInclude(yield* subscription.stats, { held: 0, parked: 0 })
      })
    )
})
