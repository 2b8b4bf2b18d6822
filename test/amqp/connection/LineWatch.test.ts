/** When a line is asked whether it answers, and when it counts as silent. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Addresses } from "../../../src/amqp/connection/Addresses.ts"
import type { Answer } from "../../../src/amqp/connection/LineProbe.ts"
import * as LineWatch from "../../../src/amqp/connection/LineWatch.ts"
import type { Server } from "../../../src/amqp/Servers.ts"

/** A line with a call timeout of ten seconds. */
const stage = Effect.fnUntraced(function* () {
  const line = { pulse: 0, isWaiting: false, isExcused: false, answer: undefined as Answer | undefined }
  let asked = 0
  const silences: Array<readonly [number, Answer | undefined]> = []
  let answers = 0
  yield* Effect.forkScoped(
    LineWatch.watch({
      millis: 10_000,
      pulse: () => line.pulse,
      isWaiting: () => line.isWaiting,
      isExcused: () => line.isExcused,
      ask: Effect.suspend(() => {
        asked++
        return line.answer === undefined ? Effect.never : Effect.succeed(line.answer)
      }),
      onAnswer: () => void answers++,
      onSilent: (millis, last) => Effect.sync(() => void silences.push([Math.round(millis / 1000), last]))
    }),
    { startImmediately: true }
  )
  return { line, silences, asked: () => asked, answers: () => answers }
})

describe("a line that is watched", () => {
  it.effect("P11: is asked every ten seconds at rest, and never while messages are confirmed", () =>
    Effect.gen(function* () {
      const { asked, line, silences } = yield* stage()
      line.answer = "stored"
      yield* TestClock.adjust("100 seconds")
      assert.strictEqual(asked(), 10)
      line.isWaiting = true
      for (let n = 0; n < 100; n++) {
        line.pulse++
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(asked(), 10)
      assert.deepStrictEqual(silences, [])
    })
  )

  it.effect("P11: is silent after ten seconds without an answer while a message waits, after fifteen at rest", () =>
    Effect.gen(function* () {
      const busy = yield* stage()
      busy.line.isWaiting = true
      const idle = yield* stage()
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(busy.silences, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(busy.silences, [[10, undefined]])
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(idle.silences, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(idle.silences, [[15, undefined]])
      assert.deepStrictEqual([busy.answers(), idle.answers()], [0, 0])
    })
  )

  it.effect(
    "P11: whose node answers by itself is silent when a message waits for fifteen seconds, and not at rest",
    () =>
      Effect.gen(function* () {
        const { line, silences } = yield* stage()
        line.answer = "answered"
        yield* TestClock.adjust("60 seconds")
        assert.deepStrictEqual(silences, [])
        line.isWaiting = true
        yield* TestClock.adjust("30 seconds")
        assert.isAbove(silences.length, 0)
        for (const [seconds, last] of silences) assert.deepStrictEqual([seconds >= 15, last], [true, "answered"])
      })
  )

  it.effect("P11: that the broker blocks is not asked", () =>
    Effect.gen(function* () {
      const { asked, line, silences } = yield* stage()
      line.isExcused = true
      line.isWaiting = true
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual([asked(), silences], [0, []])
    })
  )
})

describe("the addresses of a broker", () => {
  const servers = ["a", "b", "c"].map((address): Server => ({
    address,
    host: address,
    port: 1,
    secure: false,
    vhost: "/",
    credentials: undefined
  }))
  const order = (addresses: Addresses) => addresses.order(servers).map(({ address }) => address)

  it("P11: a silent one is tried last, the latest behind the others, until it answers or five minutes are over", () => {
    let now = 0
    const addresses = new Addresses(() => now)
    addresses.fellSilent("b")
    now = 10
    addresses.fellSilent("a")
    assert.deepStrictEqual(order(addresses), ["c", "b", "a"])
    addresses.answered("a")
    assert.deepStrictEqual(order(addresses), ["a", "c", "b"])
    now = 300_000
    assert.deepStrictEqual(order(addresses), ["a", "b", "c"])
  })

  it("P11: where a line is already comes first; leaving an address ends all of its lines", () => {
    const addresses = new Addresses(() => 0)
    const left: Array<string> = []
    const leave = (line: string) => (why: string) => void left.push(`${line} ${why}`)
    addresses.entered({ address: "c", isPublishing: true, leave: leave("publish") })
    const end = addresses.entered({ address: "c", isPublishing: false, leave: leave("consume") })
    addresses.entered({ address: "b", isPublishing: false, leave: leave("other") })()
    assert.deepStrictEqual(order(addresses), ["c", "a", "b"])
    addresses.leave("c", "silent")
    assert.deepStrictEqual(left, ["publish silent", "consume silent"])
    end()
    addresses.leave("c", "again")
    assert.deepStrictEqual(left.length, 3)
    assert.deepStrictEqual(order(addresses), ["a", "b", "c"])
  })

  it("P11: lines that are made anew at once meet where the first of them dials", () => {
    const addresses = new Addresses(() => 0)
    addresses.dials("publish", "b")
    assert.deepStrictEqual(order(addresses), ["b", "a", "c"])
    addresses.dials("publish", undefined)
    assert.deepStrictEqual(order(addresses), ["a", "b", "c"])
  })
})
