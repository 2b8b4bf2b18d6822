/** What operators do with the processes of a fleet, by the clock of a test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { BrokerError } from "../../src/bus/port/BrokerError.ts"
import { SettingsInvalid } from "../../src/bus/port/BrokerReason.ts"
import { Fleet, type Presence } from "../../src/bus/port/Fleet.ts"
import * as MemoryFleet from "../../src/memory/fleet/MemoryFleet.ts"
import * as FleetOperations from "../../src/operations/fleet/FleetOperations.ts"
import * as Stage from "../bus/Stage.ts"

const presence = (id: string, isPaused = false, parked = 0): Presence => ({
  process: id,
  source: "grades",
  host: "here",
  pid: Number(id),
  library: "a library",
  startedAt: "2026-01-02T03:04:05.000Z",
  subscribers: [
    {
      name: "mailer",
      events: ["a.b"],
      ordering: "none",
      status: isPaused ? "Paused" : "Running",
      since: "2026-01-02T03:04:05.000Z",
      restarts: 0,
      cause: null,
      paused: isPaused ? { by: "alice", since: "2026-01-02T03:04:05.000Z", reason: "" } : null,
      lag: null,
      oldest: null,
      held: 0,
      inFlight: 0,
      parked,
      handled: 0,
      deadLettered: 0
    }
  ]
})

const stage = Effect.gen(function* () {
  const fleet = yield* MemoryFleet.make
  const operations = FleetOperations.make(Effect.die("no bus"), Effect.succeed(fleet))
  return { fleet, operations }
})

describe("operations on a fleet", () => {
  it.effect("a pause waits until all processes have followed, and says who paused first", () =>
    Effect.gen(function* () {
      const { fleet, operations } = yield* stage
      yield* fleet.appear(presence("2"))
      yield* fleet.appear(presence("1"))
      const request = { by: " alice ", reason: "the mail server is down", apply: true }
      const waiting = yield* Effect.forkChild(operations.pause("mailer", request), { startImmediately: true })
      yield* Stage.pass(4_000, 500)
      assert.isUndefined(waiting.pollUnsafe(), "it did not wait")
      yield* fleet.appear(presence("1", true))
      yield* Stage.pass(4_000, 500)
      assert.isUndefined(waiting.pollUnsafe(), "it did not wait for all")
      yield* fleet.appear(presence("2", true))
      yield* Stage.pass(500, 500)
      const report = yield* Fiber.join(waiting)
      assert.deepInclude(report, { changed: true, dryRun: false, pending: 0 })
      assert.deepStrictEqual(
        report.processes.map(({ paused, pid }) => [pid, paused]),
        [
          [1, true],
          [2, true]
        ]
      )
      assert.deepInclude(report.pause, { by: "alice", reason: "the mail server is down" })
      const again = yield* operations.pause("mailer", { by: "bob", apply: true })
      assert.deepInclude(again, { changed: false })
      assert.strictEqual(again.pause.by, "alice")
      assert.strictEqual((yield* fleet.pauses).get("mailer")?.by, "alice")
    })
  )

  it.effect("it gives a process fifteen seconds to follow, and a resume as well", () =>
    Effect.gen(function* () {
      const { fleet, operations } = yield* stage
      yield* fleet.appear(presence("1"))
      const paused = yield* Effect.forkChild(operations.pause("mailer", { by: "a", apply: true }), {
        startImmediately: true
      })
      yield* TestClock.adjust("15 seconds")
      assert.deepInclude(yield* Fiber.join(paused), { changed: true, pending: 1 })
      yield* fleet.appear(presence("1", true))
      const resumed = yield* Effect.forkChild(operations.resume("mailer", { apply: true }), { startImmediately: true })
      yield* TestClock.adjust("15 seconds")
      assert.deepInclude(yield* Fiber.join(resumed), { changed: true, pending: 1 })
      yield* fleet.appear(presence("1"))
      assert.deepInclude(yield* operations.resume("mailer", { apply: true }), {
        changed: false,
        pause: null,
        pending: 0
      })
    })
  )

  it.effect("a dry run says what would be, and changes nothing", () =>
    Effect.gen(function* () {
      const { fleet, operations } = yield* stage
      yield* fleet.appear(presence("1"))
      assert.deepInclude(yield* operations.pause("mailer", { by: "a", apply: false }), {
        changed: true,
        dryRun: true,
        pending: 0
      })
      assert.strictEqual((yield* fleet.pauses).size, 0)
      yield* fleet.pause("mailer", { by: "a", since: new Date(0), reason: "" })
      const tried = yield* operations.resume("mailer", { apply: false })
      assert.deepInclude(tried, { changed: true, pause: { by: "a", since: "1970-01-01T00:00:00.000Z", reason: "" } })
      assert.strictEqual((yield* fleet.pauses).size, 1)
    })
  )

  it.effect("records that another program wrote are counted, and hide no process", () =>
    Effect.gen(function* () {
      const fleet = yield* MemoryFleet.make
      yield* fleet.appear(presence("1"))
      const later = { ...presence("2"), more: 1, subscribers: [{ ...presence("2").subscribers[0], status: "Resting" }] }
      const records = [undefined, 7, { ...presence("3"), pid: "x" }, later].map((record) => ({
        record,
        millisAgo: 1240
      }))
      const operations = FleetOperations.make(
        Effect.die("no bus"),
        Effect.succeed(Fleet.of({ ...fleet, processes: Effect.map(fleet.processes, (seen) => [...records, ...seen]) }))
      )
      const { processes, unreadable } = yield* operations.ps
      assert.strictEqual(unreadable, 3)
      assert.deepStrictEqual(
        processes.map(({ pid, secondsAgo, subscribers }) => [pid, secondsAgo, subscribers[0]?.status]),
        [
          [1, 0, "Running"],
          [2, 1.2, "Resting"]
        ]
      )
    })
  )
})

describe("contracts of a fleet", () => {
  const holding = (id: string, digest: string, handles: number | null, publishes: number | null): Presence => ({
    ...presence(id),
    contracts: { by: "1", events: [{ event: "a.b", publishes, handles, versions: { 1: digest } }] }
  })

  it.effect("that differ, or are older than what is published, are findings; other makers of digests are not", () =>
    Effect.gen(function* () {
      const { fleet, operations } = yield* stage
      const found = Effect.map(FleetOperations.examine(Effect.succeed(fleet)), (findings) =>
        findings.map(({ check, seen }) => `${check}: ${seen}`)
      )
      yield* fleet.appear(holding("1", "same", 1, null))
      yield* fleet.appear(holding("2", "same", 1, 1))
      yield* fleet.appear(presence("3"))
      assert.deepStrictEqual([yield* found, (yield* operations.ps).disagreements], [[], []])
      const { contracts } = holding("4", "other", 1, 1)
      yield* fleet.appear({ ...presence("4"), contracts: { by: "2", events: contracts?.events ?? [] } })
      assert.deepStrictEqual(yield* found, [])
      yield* fleet.appear(holding("4", "other", 1, 2))
      assert.deepStrictEqual(yield* found, [
        "contracts.differ: version 1 of a.b is not the same data in all processes: grades here:1 (same), grades here:2 (same), grades here:4 (other)",
        "contracts.behind: version 2 of a.b is published, and subscribers know older ones only: grades here:4 (version 2), grades here:1 (version 1), grades here:2 (version 1), grades here:4 (version 1)"
      ])
      assert.lengthOf((yield* operations.ps).disagreements, 2)
    })
  )

  it.effect("of a later version of the library hide no process", () =>
    Effect.gen(function* () {
      const { fleet, operations } = yield* stage
      // A later version may say it in another form.
      yield* fleet.appear({ ...presence("1"), contracts: "later" } as unknown as Presence)
      const { disagreements, processes, unreadable } = yield* operations.ps
      assert.deepStrictEqual([processes.map(({ process }) => process), unreadable, disagreements], [["1"], 0, []])
    })
  )

  it.effect("are no matter where the fleet cannot be reached, or is none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* FleetOperations.examine(Effect.undefined), [])
      const away = new BrokerError({ reason: new SettingsInvalid({ setting: "x", problem: "y", remedy: "z" }) })
      assert.deepStrictEqual(yield* FleetOperations.examine(Effect.fail(away)), [])
    })
  )
})
