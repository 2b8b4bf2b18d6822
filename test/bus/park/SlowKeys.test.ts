/** What the window holds of one key is bounded in time: a slow key is parked, in order, and others go on (P5, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import type { Subscription } from "../../../src/bus/subscriber/Subscription.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger, numbersOfKey, type Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import type { EventBus } from "../../../src/bus/EventBus.ts"
import * as Stage from "../Stage.ts"
import { killableProcess, pairs } from "./ParkingStage.ts"

const hot = "hot"

/** Counts the deliveries of the subscriber's own queue that are held. */
const inWindow = ({ stats }: Subscription) => Effect.map(stats, ({ held, parked }) => held - parked)

/** Waits until the window holds next to nothing, which needs turns and no time. */
const leavesWindow = Effect.fnUntraced(function* (subscription: Subscription) {
  let held = yield* inWindow(subscription)
  for (let round = 0; round < 100 && held > 1; round++) {
    yield* Stage.turns
    held = yield* inWindow(subscription)
  }
  assert.isAtMost(held, 1)
})

/** A handler that takes this long for the hot key, until it is mended. */
const taking = (seconds: number) => {
  const ledger = makeLedger()
  let isSlow = true
  return {
    ledger,
    mend: () => {
      isSlow = false
    },
    handler: (event: Entry["event"], info: Entry["info"]) =>
      Effect.andThen(
        ledger.handler(event, info),
        isSlow && event.key === hot ? Effect.sleep(seconds * 1_000) : Effect.void
      )
  }
}

const publishing = (bus: EventBus["Service"], Changed: ReturnType<typeof keyed>, events: ReturnType<typeof pairs>) =>
  Effect.forkChild(bus.publishAll(Changed, events), { startImmediately: true })

describe("a slow key", () => {
  it.effect("P5, P6: leaves the window when its first handler has ended; other keys go on, and order stays", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const play = taking(10)
      const subscription = yield* bus.subscribe(name, { events: [Changed], ordering: "key", handler: play.handler })
      yield* publishing(bus, Changed, pairs(300, hot))
      yield* publishing(bus, Changed, pairs(1, "other", 300))
      yield* Stage.pass(Stage.seconds(9), 3_000)
      assert.deepStrictEqual(play.ledger.numbers(), [0])
      assert.strictEqual(yield* inWindow(subscription), 250)
      yield* Stage.pass(Stage.seconds(2), 1_000)
      yield* leavesWindow(subscription)
      assert.includeMembers([...play.ledger.numbers()], [300])
      // What comes later follows it, and takes no room either.
      yield* publishing(bus, Changed, pairs(100, hot, 301))
      yield* leavesWindow(subscription)
      play.mend()
      yield* Stage.pass(Stage.minutes(2), 10_000)
      assert.deepStrictEqual(numbersOfKey(play.ledger.entries, hot), [...upTo(300), ...upTo(100).map((n) => 301 + n)])
      assert.deepStrictEqual(yield* letters.list(name), [])
      assert.deepInclude(yield* subscription.stats, { held: 0, parked: 0, lanes: 0, handled: 401, returns: 0 })
    })
  )

  for (const [seconds, count] of [
    [10, 30],
    [100, 6]
  ] as const)
    it.effect(`P13: ${count} events of ${seconds} seconds each stay where they are, and more do not`, () =>
      Effect.gen(function* () {
        const { bus } = yield* Stage.make
        const Changed = keyed()
        const play = taking(seconds)
        const options = { events: [Changed], ordering: "key", deadline: "10 minutes", handler: play.handler } as const
        const subscription = yield* bus.subscribe(fresh(), options)
        yield* publishing(bus, Changed, pairs(count, hot))
        yield* Stage.pass(Stage.seconds(seconds + 1), 1_000)
        assert.deepStrictEqual(play.ledger.numbers(), [0, 1])
        assert.strictEqual((yield* subscription.stats).parked, 0)
        yield* publishing(bus, Changed, pairs(3, hot, count))
        yield* Stage.pass(Stage.seconds(seconds), 1_000)
        assert.strictEqual((yield* subscription.stats).parked, count + 1)
      })
    )

  it.effect("stays where there is no queue to park it in", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const play = taking(10)
      let declared = 0
      const { subscribe } = yield* killableProcess(stage.server, (broker) => ({
        declare: (spec) => {
          if (spec.parking !== true) return broker.declare(spec)
          const reason = new PermissionDenied({ entity: "exchange test.parked (write)", username: "service" })
          return Effect.suspend(() => {
            declared++
            return Effect.fail(new BrokerError({ reason }))
          })
        }
      }))
      yield* subscribe(fresh(), { events: [Changed], ordering: "key", handler: play.handler })
      yield* publishing(stage.bus, Changed, pairs(50, hot))
      yield* Stage.pass(Stage.seconds(55), 1_000)
      assert.deepStrictEqual(play.ledger.numbers(), upTo(6))
      assert.strictEqual(declared, 1)
    })
  )
})
