/** What waits behind the waiting first events of all keys is bounded together: they stop no other key (P5). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { EventBus } from "../../../src/bus/EventBus.ts"
import type { Subscription } from "../../../src/bus/subscriber/Subscription.ts"
import type { Subject } from "../../../src/bus/port/ClaimStore.ts"
import { fresh, keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { make } from "../admit/ClaimStage.ts"
import * as Stage from "../Stage.ts"

const publish = Effect.fnUntraced(function* (
  bus: EventBus["Service"],
  Changed: ReturnType<typeof keyed>,
  keys: string,
  from: number
) {
  for (const [i, k] of [...keys].entries()) {
    const event = { n: from + i, k }
    yield* Effect.forkChild(bus.publish(Changed, event, { id: `${from + i}` }), { startImmediately: true })
    yield* Stage.turns
  }
})

const waitingOf = ({ stats }: Subscription) =>
  Effect.map(stats, ({ behindWaiting, claimed, maxBehindWaiting }) => ({ behindWaiting, claimed, maxBehindWaiting }))

describe("first events of several keys that wait", () => {
  it.effect("P5, N8: for their retries, and may be parked: other keys go on", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      const subscription = yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        prefetch: 8,
        retry: Schedule.spaced("5 minutes"),
        handler: (event, info) =>
          Effect.andThen(
            ledger.handler(event, info),
            event.data.n < 2 && info.attempt === 1 ? Effect.fail("no") : Effect.void
          )
      })
      yield* publish(bus, Changed, "ab", 0)
      yield* publish(bus, Changed, "aabb", 2)
      yield* Stage.pass(500, 100)
      assert.deepStrictEqual(yield* waitingOf(subscription), { claimed: 0, behindWaiting: 4, maxBehindWaiting: 4 })
      assert.deepStrictEqual(ledger.numbers(), [0, 1])
      // Each of the two keys is far from half of the window, and both together would fill it.
      yield* publish(bus, Changed, "bacdef", 6)
      yield* Stage.pass(900, 100)
      assert.includeMembers([...ledger.numbers()], [8, 9, 10, 11])
      assert.isAtMost((yield* subscription.stats).behindWaiting, 4)
      assert.deepStrictEqual(yield* letters.list(name), [])
      yield* Stage.pass(Stage.minutes(6), 1_000)
      const others = ledger.numbers().filter((n) => n > 1)
      assert.lengthOf(others, 10)
      assert.deepStrictEqual(
        others.filter((n) => [2, 3, 7].includes(n)),
        [2, 3, 7]
      )
      assert.deepStrictEqual(
        others.filter((n) => [4, 5, 6].includes(n)),
        [4, 5, 6]
      )
    })
  )

  it.effect("P5, N8: for their retries, and are never parked: an outage of what they call dead-letters none", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      let isDown = true
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "dead-letter",
        prefetch: 8,
        retry: Schedule.spaced("5 seconds"),
        handler: (event, info) => (isDown ? Effect.fail("down") : ledger.handler(event, info))
      })
      yield* publish(bus, Changed, "aabbccdd", 0)
      yield* Stage.pass(Stage.minutes(2), 1_000)
      assert.deepStrictEqual(yield* letters.list(name), [])
      isDown = false
      yield* Stage.pass(Stage.minutes(1), 1_000)
      assert.deepStrictEqual(ledger.numbers().toSorted(), [0, 1, 2, 3, 4, 5, 6, 7])
      for (const first of [0, 2, 4, 6])
        assert.isBelow(ledger.numbers().indexOf(first), ledger.numbers().indexOf(first + 1))
    })
  )

  it.effect("P5, D6, N8: for claims of another process: other keys go on, and it is visible", () =>
    Effect.gen(function* () {
      const { claims, process } = yield* make
      const { bus, internals, letters, subscribe } = yield* process
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      const subjectOf = (id: string): Subject => ({ subscriber: name, source: "suite", type: Changed.name, id })
      for (const id of ["0", "1"]) yield* claims.claim(subjectOf(id), "another process", 60_000)
      const subscription = yield* subscribe(name, {
        events: [Changed],
        ordering: "key",
        idempotent: true,
        prefetch: 8,
        handler: ledger.handler
      })
      const probed = Effect.gen(function* () {
        const probe = (yield* internals.probes).find((one) => one.name === `subscriber ${name}`)
        return yield* probe?.check ?? Effect.die("there is no such probe")
      })
      assert.strictEqual((yield* probed).status, "up")
      yield* publish(bus, Changed, "ab", 0)
      yield* publish(bus, Changed, "aabb", 2)
      yield* Stage.pass(2_000, 100)
      assert.deepStrictEqual(yield* waitingOf(subscription), { claimed: 2, behindWaiting: 4, maxBehindWaiting: 4 })
      assert.deepStrictEqual(
        (yield* subscription.tree).keys.map(({ attempt, behind, head, key }) => [key, head, attempt, behind]),
        [
          ["a", "claimed", 1, 2],
          ["b", "claimed", 1, 2]
        ]
      )
      const health = yield* probed
      assert.strictEqual(health.status, "degraded")
      assert.include(health.detail, "2 keys wait for claims of other processes")
      assert.strictEqual((yield* subscription.stats).postponed, 2)
      yield* publish(bus, Changed, "bacdef", 6)
      yield* Stage.pass(900, 100)
      assert.includeMembers([...ledger.numbers()], [8, 9, 10, 11])
      // The key that has to leave is parked, whatever the subscriber chose: none of its events has failed.
      assert.isAbove((yield* subscription.stats).parked, 0)
      yield* Stage.pass(Stage.seconds(8), 100)
      for (const id of ["0", "1"]) yield* claims.release(subjectOf(id), "another process")
      yield* Stage.pass(1_000, 100)
      assert.deepStrictEqual(ledger.attempts(), Array(12).fill(1))
      const handled = ledger.numbers()
      for (const key of [
        [0, 2, 3, 7],
        [1, 4, 5, 6]
      ])
        assert.deepStrictEqual(
          handled.filter((n) => key.includes(n)),
          key
        )
      assert.deepStrictEqual(yield* letters.list(name), [])
      assert.deepStrictEqual(yield* waitingOf(subscription), { claimed: 0, behindWaiting: 0, maxBehindWaiting: 4 })
      assert.strictEqual((yield* probed).status, "up")
    })
  )
})
