/** What operators do with the processes of a fleet, by the clock of a test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
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
