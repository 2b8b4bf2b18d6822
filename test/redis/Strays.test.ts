/** What is kept of claims that nobody holds: no more than there is room for, until each was given up. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Strays from "../../src/redis/Strays.ts"

it.effect("P13: bounded by keys and by claimants of one key; the oldest go", () =>
  Effect.gen(function* () {
    const strays = yield* Strays.make(() => Effect.fail("away"))
    for (let n = 0; n < 10_050; n++) strays.add(`k${n}`, "c")
    assert.deepStrictEqual(strays.of("k49"), [])
    assert.deepStrictEqual(strays.of("k50"), ["c"])
    for (let n = 0; n < 100; n++) strays.add("k10049", `c${n}`)
    assert.lengthOf(strays.of("k10049"), 16)
    assert.include(strays.of("k10049"), "c99")
  })
)

it.effect("each is given up once, when that is possible; what was forgotten meanwhile is not", () =>
  Effect.gen(function* () {
    let away = true
    const released: Array<string> = []
    const strays = yield* Strays.make((key, claimants) =>
      Effect.suspend(() => {
        if (away) return Effect.fail("away")
        released.push(`${key} ${claimants.join(" ")}`)
        return Effect.void
      })
    )
    strays.add("k", "a")
    strays.add("k", "b")
    strays.add("l", "c")
    strays.add("l", "d")
    strays.forget("l", ["c"])
    yield* TestClock.adjust("1 minute")
    assert.isEmpty(released)
    away = false
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(released, ["k a b", "l d"])
    assert.deepStrictEqual([strays.of("k"), strays.of("l")], [[], []])
    strays.add("m", "e")
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(released.slice(2), ["m e"])
  })
)
