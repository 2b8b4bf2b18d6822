/** The rules of health find what they must find: histories written by hand. */
import { assert, describe, it } from "vitest"
import type { Kind } from "./Events.ts"
import { judgeHealth, type Watched } from "./HealthRules.ts"
import { historyOf } from "./History.ts"
import type { Entry, Line } from "./Journal.ts"

const watched: Watched = {
  groups: [{ name: "g", events: "step", ordering: "none", idempotent: false }],
  workers: [
    { name: "p0", role: "publisher", deaths: [] },
    { name: "s1", role: "subscriber", deaths: [] }
  ]
}

type Status = "up" | "degraded" | "down"

interface Pause {
  readonly from?: number
  readonly to?: number
  readonly kind?: Kind
  /** Only the subscriber stands still. */
  readonly publishes?: boolean
}

/** A publisher and a subscriber that move in each half second but in a pause, and say each other second what `says` gives. */
const judged = (
  says: (who: string, second: number) => Status | undefined,
  { from = 0, kind = "plain", publishes = false, to = 0 }: Pause = {},
  logs: ReadonlyArray<{ readonly at: number; readonly message: string }> = []
) => {
  const entries: Array<Entry> = []
  const write = (who: string, at: number, line: Line): void => void entries.push({ ...line, at, who, life: 1 })
  for (const who of ["p0", "s1"]) write(who, 0, { t: "ready" })
  for (const { at, message } of logs) write("p0", at, { t: "log", level: "Info", message, fields: {} })
  for (let half = 1; half < 240; half++) {
    const [at, id] = [half * 500, `p0/e-${half}`]
    const isPaused = at > from * 1000 && at < to * 1000
    write("p0", at, { t: "intent", id, key: "k", seq: half, kind: isPaused ? kind : "plain" })
    // The subscriber handles in the end what was published in the pause.
    const late = isPaused ? to * 1000 + half : at
    write("p0", publishes ? at : late, { t: "outcome", id, outcome: "Confirmed", ms: 1 })
    write("s1", late + 1, { t: "start", id, g: "g", key: "k", seq: half, attempt: 1, redelivered: false })
    write("s1", late + 2, { t: "done", id, g: "g", key: "k", seq: half })
    if (half % 4 === 0)
      for (const who of ["p0", "s1"]) {
        const status = says(who, at / 1000)
        if (status !== undefined) write(who, at, { t: "health", status, detail: "" })
      }
  }
  const { figures, violations } = judgeHealth(watched, historyOf(entries, []))
  return { figures, rules: violations.map(({ rule }) => rule) }
}

const pause = { from: 40, to: 75 }
const during = (second: number): boolean => second >= 50 && second < 75

describe("health", () => {
  it("that says up while all moves is true", () => {
    assert.deepStrictEqual(judged(() => "up").rules, [])
  })

  it("that says down soon after nothing moves, until it moves again, is true", () => {
    const { figures, rules } = judged((_, second) => (during(second) ? "down" : "up"), pause)
    assert.deepStrictEqual(rules, [])
    assert.isAbove(figures.silences, 0)
    assert.isAtMost(figures.noticedMillis.max, 12_000)
  })

  it("that never says down while nothing moves is found; degraded is not down", () => {
    for (const status of ["up", "degraded"] as const)
      assert.include(judged((_, second) => (during(second) ? status : "up"), pause).rules, "silent health")
  })

  it("that nobody writes down is not judged", () => {
    assert.deepStrictEqual(judged(() => undefined, pause).rules, [])
  })

  it("is not blamed for a publisher that waits for what it sends by hand", () => {
    const { rules } = judged(() => "up", { ...pause, kind: "plain-json" })
    assert.notInclude(rules.join(), "silent health")
  })

  it("of a group that handles nothing although events are confirmed is judged, also if none waited before", () => {
    const { figures, rules } = judged(() => "up", { from: 40, to: 90, publishes: true })
    assert.deepStrictEqual(rules, ["silent health"])
    assert.strictEqual(figures.silences, 1)
  })

  it("that says down late is found", () => {
    assert.include(judged((_, second) => (second >= 68 && second < 75 ? "down" : "up"), pause).rules, "silent health")
  })

  it("that says down while all moves is found, for publishers and subscribers", () => {
    for (const liar of ["p0", "s1"]) {
      const { figures, rules } = judged((who, second) => (who === liar && second === 60 ? "down" : "up"))
      assert.deepStrictEqual(rules, ["false alarm"])
      assert.strictEqual(figures.falseAlarms, 1)
    }
  })

  it("that says down between the loss of a connection and the next one is true", () => {
    const says = (who: string, second: number): Status => (who === "p0" && second === 60 ? "down" : "up")
    const back = (at: number) => [{ at, message: "connected to RabbitMQ again" }]
    assert.deepStrictEqual(judged(says, {}, back(60_200)).rules, [])
    for (const at of [59_900, 61_200]) assert.deepStrictEqual(judged(says, {}, back(at)).rules, ["false alarm"])
  })
})
