/** When a channel of the pool stands still, and how often a line is made anew for that. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Addresses } from "../../../src/amqp/connection/Addresses.ts"
import * as ChannelWatch from "../../../src/amqp/connection/ChannelWatch.ts"

/** Two channels on which nothing was confirmed yet, and a call timeout of ten seconds. */
const stage = Effect.fnUntraced(function* () {
  const [one, other] = [
    { confirms: 0, isWaiting: false },
    { confirms: 0, isWaiting: false }
  ]
  const line = { isExcused: false }
  const standstills: Array<number> = []
  let moving = 0
  yield* Effect.forkScoped(
    ChannelWatch.watch({
      channels: [one, other],
      millis: 10_000,
      isExcused: () => line.isExcused,
      onStandstill: (millis) => Effect.sync(() => void standstills.push(millis / 1000)),
      onMoving: () => void moving++
    }),
    { startImmediately: true }
  )
  return { one, other, line, standstills, moving: () => moving }
})

describe("a channel of a line", () => {
  it.effect("P11: stands still after five seconds without its first confirm, while another one moves", () =>
    Effect.gen(function* () {
      const { moving, one, other, standstills } = yield* stage()
      one.isWaiting = true
      other.isWaiting = true
      for (let second = 1; second <= 7; second++) {
        other.confirms++
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(standstills, [5, 6, 7])
      assert.strictEqual(moving(), 4)
      one.confirms++
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([standstills.length, moving()], [3, 5])
    })
  )

  it.effect(
    "P11: that confirmed something stands still after ten seconds, and not at rest or while RabbitMQ blocks",
    () =>
      Effect.gen(function* () {
        const { line, one, standstills } = yield* stage()
        yield* TestClock.adjust("1 minute")
        one.isWaiting = true
        one.confirms++
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(standstills, [])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(standstills, [10])
        line.isExcused = true
        yield* TestClock.adjust("1 minute")
        line.isExcused = false
        yield* TestClock.adjust("9 seconds")
        assert.deepStrictEqual(standstills, [10])
      })
  )

  it("P11: a line is made anew at once, then in times that double up to a minute, until all moved for a minute", () => {
    let now = 1_000_000
    const addresses = new Addresses(() => now)
    const times: Array<number> = []
    for (const begun = now; times.length < 6; now += 1000) {
      if (!addresses.mayRenew(10_000)) continue
      times.push((now - begun) / 1000)
      assert.strictEqual(addresses.renewed(), times.length)
    }
    assert.deepStrictEqual(times, [0, 10, 30, 70, 130, 190])
    addresses.moves()
    assert.isFalse(addresses.mayRenew(10_000))
    now += 60_000
    addresses.moves()
    assert.isTrue(addresses.mayRenew(10_000))
    assert.strictEqual(addresses.renewed(), 1)
  })
})
