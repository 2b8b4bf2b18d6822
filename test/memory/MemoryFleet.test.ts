/** The fleet in memory against the conformance suite, and by the clock of a test. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as MemoryFleet from "../../src/memory/fleet/MemoryFleet.ts"
import { fleetCases } from "../../src/ports/index.ts"
import { conforms } from "../support/conformance.ts"

conforms("MemoryFleet", MemoryFleet.layer, fleetCases)

it.effect("a process that says nothing for thirty seconds is gone, and a pause is not", () =>
  Effect.gen(function* () {
    const fleet = yield* MemoryFleet.make
    const about = { source: "s", host: "h", pid: 1, library: "l", startedAt: "", subscribers: [] }
    const ages = Effect.map(fleet.processes, (seen) => seen.map(({ millisAgo }) => millisAgo))
    yield* fleet.pause("mailer", { by: "alice", since: new Date(0), reason: "" })
    yield* fleet.appear({ ...about, process: "one" })
    yield* TestClock.adjust("20 seconds")
    yield* fleet.appear({ ...about, process: "two" })
    assert.deepStrictEqual(yield* ages, [20_000, 0])
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(yield* ages, [10_000])
    yield* TestClock.adjust("1 hour")
    assert.deepStrictEqual(yield* ages, [])
    assert.isTrue((yield* fleet.pauses).has("mailer"))
  })
)
