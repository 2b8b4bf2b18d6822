/** Orphaned claims are bounded, and each is kept until it was released. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as OrphanedClaims from "../../../src/redis/claims/OrphanedClaims.ts"

it.effect("P13: they are bounded by keys and by claimants of one key; the oldest are forgotten", () =>
  Effect.gen(function* () {
    const orphaned = yield* OrphanedClaims.make(() => Effect.fail("away"))
    for (let n = 0; n < 10_050; n++) orphaned.add(`k${n}`, "c")
    assert.deepStrictEqual(orphaned.of("k49"), [])
    assert.deepStrictEqual(orphaned.of("k50"), ["c"])
    for (let n = 0; n < 100; n++) orphaned.add("k10049", `c${n}`)
    assert.lengthOf(orphaned.of("k10049"), 16)
    assert.include(orphaned.of("k10049"), "c99")
  })
)

it.effect("each is released once, when that is possible, unless it was forgotten meanwhile", () =>
  Effect.gen(function* () {
    let away = true
    const released: Array<string> = []
    const orphaned = yield* OrphanedClaims.make((key, claimants) =>
      Effect.suspend(() => {
        if (away) return Effect.fail("away")
        released.push(`${key} ${claimants.join(" ")}`)
        return Effect.void
      })
    )
    orphaned.add("k", "a")
    orphaned.add("k", "b")
    orphaned.add("l", "c")
    orphaned.add("l", "d")
    orphaned.forget("l", ["c"])
    yield* TestClock.adjust("1 minute")
    assert.isEmpty(released)
    away = false
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(released, ["k a b", "l d"])
    assert.deepStrictEqual([orphaned.of("k"), orphaned.of("l")], [[], []])
    orphaned.add("m", "e")
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(released.slice(2), ["m e"])
  })
)
