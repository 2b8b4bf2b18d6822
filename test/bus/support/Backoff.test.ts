/** How long the next try waits: longer each time, never longer than the cap, and not in step with other processes. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Random, Redacted, Schedule } from "effect"
import { backoffAfter, reconnecting } from "../../../src/amqp/connection/Connection.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import {
  AuthenticationFailed,
  type BrokerReason,
  ConnectionFailed,
  TlsFailed
} from "../../../src/bus/port/BrokerReason.ts"
import * as Backoff from "../../../src/bus/support/Backoff.ts"

/** The bounds of the next `count` waits of a connection that lived this long before each of its losses. */
const bounds = (streak: Backoff.Streak, count: number, lived = 0): ReadonlyArray<number> =>
  Array.from({ length: count }, () => Backoff.millis(reconnecting, streak.failedAfter(lived), 1))
const seeded = (seed: number) => (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32

describe("Backoff", () => {
  it("PUB19, P11: the bound of a reconnect doubles up to 15 seconds and stays there, however long the outage", () => {
    const streak = new Backoff.Streak(reconnecting)
    const doubling = [200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 15_000]
    assert.deepStrictEqual(bounds(streak, 10), doubling)
    assert.deepStrictEqual(new Set(bounds(streak, 5000)), new Set([15_000]))
  })

  it("PUB19: each second that a connection held takes back one doubling, and one that is lost at once takes back none", () => {
    const streak = new Backoff.Streak(reconnecting)
    bounds(streak, 4)
    assert.deepStrictEqual(bounds(streak, 3, 900), [3200, 6400, 12_800])
    assert.deepStrictEqual(bounds(streak, 2, 1000), [12_800, 12_800])
    assert.deepStrictEqual(bounds(streak, 2, 3000), [3200, 800])
    bounds(streak, 1000)
    assert.deepStrictEqual([...bounds(streak, 1, 8000), ...bounds(streak, 1)], [200, 400])
  })

  it("PUB19: thirty clients of a broker that restarts come back spread over the whole wait, not in step", () => {
    const random = seeded(11)
    const clients = Array.from({ length: 30 }, () => new Backoff.Streak(reconnecting))
    for (let round = 0; round < 12; round++) {
      const waits = clients.map((client) => Backoff.millis(reconnecting, client.failedAfter(0), random()))
      const bound = Math.min(200 * 2 ** round, 15_000)
      const shares = waits.map((wait) => wait / bound)
      // Each fifth has a client in it; with equal jitter the first two fifths would have none.
      for (let fifth = 0; fifth < 5; fifth++)
        assert.isTrue(
          shares.some((share) => share >= fifth / 5 && share < (fifth + 1) / 5),
          `round ${round}, fifth ${fifth}`
        )
      const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
      assert.isTrue(mean > 0.3 && mean < 0.7, `round ${round}: ${mean}`)
    }
  })

  it("PUB16, PUB17: what waiting does not heal is tried rarely, from the first time on", () => {
    const known = { credentials: undefined, tls: {} }
    const error = (reason: BrokerReason) => new BrokerError({ reason })
    const authentication = error(new AuthenticationFailed({ address: "here", username: "u" }))
    const tls = error(new TlsFailed({ address: "here", code: "CERT_HAS_EXPIRED", remedy: "renew it" }))
    const refused = backoffAfter(authentication, known)
    const streak = new Backoff.Streak(reconnecting)
    assert.strictEqual(Backoff.millis(refused, streak.failedAfter(0), 1), 30_000)
    assert.strictEqual(Backoff.millis(refused, streak.failedAfter(3_600_000), 0.5), 15_000)
    assert.strictEqual(
      backoffAfter(error(new ConnectionFailed({ address: "here", detail: "away" })), known),
      reconnecting
    )
    assert.strictEqual(backoffAfter(undefined, known), reconnecting)
    // What is read anew each time may be another one next time.
    const credentials = Effect.succeed({ username: "u", password: Redacted.make("p") })
    assert.strictEqual(backoffAfter(authentication, { ...known, credentials }), reconnecting)
    assert.strictEqual(backoffAfter(tls, { ...known, credentials }), refused)
    assert.strictEqual(backoffAfter(tls, { ...known, tls: Effect.succeed({}) }), reconnecting)
  })

  it("the kind of jitter says which part of a delay is random, and the least delay is added to it", () => {
    const ends = (jitter: Backoff.Jitter, leastMillis = 0): ReadonlyArray<number> => {
      const backoff = { baseMillis: 100, capMillis: 1_000, jitter, leastMillis }
      return [Backoff.millis(backoff, 2, 0), Backoff.millis(backoff, 2, 1)]
    }
    assert.deepStrictEqual(ends("full"), [0, 400])
    assert.deepStrictEqual(ends("equal"), [200, 400])
    assert.deepStrictEqual(ends("around"), [300, 500])
    assert.deepStrictEqual(ends("full", 20), [20, 420])
  })

  it.effect(
    "its schedule has the same delays as its attempts, which are those of Schedule.exponential up to the cap",
    () =>
      Effect.gen(function* () {
        const backoff: Backoff.Backoff = { baseMillis: 20, capMillis: 5_000, jitter: "equal", leastMillis: 3 }
        const step = yield* Schedule.toStep(Backoff.schedule(backoff))
        const exponential = yield* Schedule.toStep(Schedule.exponential("20 millis"))
        for (let attempt = 0; attempt < 12; attempt++) {
          const [, delay] = yield* Effect.provideService(step(0, undefined), Random.Random, always(0.25))
          const [, plain] = yield* exponential(0, undefined)
          assert.strictEqual(Duration.toMillis(delay), Backoff.millis(backoff, attempt, 0.25))
          assert.strictEqual(Math.min(Duration.toMillis(plain), 5_000), Backoff.boundMillis(backoff, attempt))
        }
      })
  )
})

const always = (number: number) => ({ nextDoubleUnsafe: () => number, nextIntUnsafe: () => 0 })
