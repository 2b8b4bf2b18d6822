/** What health says of canaries, by a clock of the process and one of the wall. */
import { assert, describe, it } from "@effect/vitest"
import { routed } from "../../../src/bus/port/SendOutcome.ts"
import { CanaryFlights } from "../../../src/amqp/health/CanaryFlights.ts"

describe("a canary that does not come home", () => {
  it("is away since a time of the wall", () => {
    let elapsed = 28_000
    const wall = (): number => Date.parse("2026-03-01T12:00:00Z") + elapsed
    const flights = new CanaryFlights({
      namespace: "shop",
      everyMillis: 3000,
      now: () => elapsed,
      wall,
      lateness: { update: () => {} }
    })
    flights.settled(flights.begin(), routed)
    elapsed += 10_000
    const { detail, status } = flights.check()
    assert.strictEqual(status, "degraded")
    assert.include(detail, "is away since 2026-03-01T12:00:28.000Z")
  })
})
