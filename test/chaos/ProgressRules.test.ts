/** The rules of progress find what they must find: histories written by hand. */
import { assert, describe, it } from "vitest"
import type { Window } from "./Deployment.ts"
import type { Watched } from "./HealthRules.ts"
import { historyOf } from "./History.ts"
import type { Entry, Line } from "./Journal.ts"
import { judgeProgress } from "./ProgressRules.ts"
import type { Death } from "./Worker.ts"

const dead: Death = { who: "s1", life: 1, at: 40_000, how: "SIGKILL", code: "", ms: 0 }
const watched = (deaths: ReadonlyArray<Death> = []): Watched => ({
  groups: [
    { name: "g", events: "step", ordering: "none", idempotent: false },
    { name: "once", events: "step", ordering: "key", idempotent: true }
  ],
  workers: [
    { name: "p0", role: "publisher", deaths: [] },
    { name: "s1", role: "subscriber", deaths }
  ]
})
const of = (kind: string, from: number, to: number, targets: ReadonlyArray<string> = []): Window => ({
  kind,
  targets,
  from: from * 1000,
  to: to * 1000
})

/** A publisher, and two groups two seconds behind it, that move in each half second but in a pause. */
const history = (from: number, to: number, extra: ReadonlyArray<Line> = []) => {
  const entries: Array<Entry> = []
  const write = (who: string, at: number, line: Line): void => void entries.push({ ...line, at, who, life: 1 })
  for (const who of ["p0", "s1"]) write(who, 0, { t: "ready" })
  for (const line of extra) write("s1", 1, line)
  for (let half = 1; half < 240; half++) {
    const [at, id] = [half * 500, `p0/e-${half}`]
    const place = { id, key: "k", seq: half }
    write("p0", at, { t: "intent", ...place, kind: "plain" })
    const moves = (due: number): number => (due > from * 1000 && due < to * 1000 ? to * 1000 + half : due)
    const moved = moves(at + 2000)
    write("p0", moves(at), { t: "outcome", id, outcome: "Confirmed", ms: 1 })
    for (const g of ["g", "once"]) {
      write("s1", moved + 1, { t: "start", ...place, g, attempt: 1, redelivered: false })
      write("s1", moved + 2, { t: "done", ...place, g })
    }
    if (half % 4 === 0) write("p0", at, { t: "health", status: "up", detail: "" })
  }
  return entries
}

const rules = (entries: ReadonlyArray<Entry>, windows: ReadonlyArray<Window>, deaths: ReadonlyArray<Death> = []) =>
  judgeProgress(watched(deaths), historyOf(entries, deaths), windows).violations.map(({ group, rule }) =>
    group === undefined ? rule : `${rule} ${group}`
  )

describe("progress", () => {
  it("that one node of three stops for more than 20 seconds is found, of publishers and of groups without order", () => {
    for (const kind of ["node-kill", "node-hang", "node-cut"])
      assert.deepStrictEqual(rules(history(40, 75), [of(kind, 40, 75)]), ["standstill", "standstill g"])
    assert.deepStrictEqual(rules(history(40, 55), [of("node-cut", 40, 75)]), [])
  })

  it("that another fault stops as well is none of the node", () => {
    assert.deepStrictEqual(rules(history(40, 75), [of("node-cut", 40, 75), of("majority-lost", 50, 60)]), [])
    assert.deepStrictEqual(rules(history(40, 75), [of("majority-lost", 40, 75)]), [])
    assert.deepStrictEqual(rules(history(40, 75), [of("node-cut", 40, 75), of("rst-one", 50, 51, ["p9"])]), [
      "standstill",
      "standstill g"
    ])
  })

  it("of a key that waits for the claim of a process that is gone is found", () => {
    const held: Line = { t: "start", id: "p0/e-1", g: "once", key: "k", seq: 1, attempt: 1, redelivered: false }
    const lost = [of("rst-one", 40, 40, ["s1"])]
    assert.deepStrictEqual(rules(history(39, 75, [held]), [], [dead]), ["key waits once"])
    assert.deepStrictEqual(rules(history(39, 75, [held]), lost), ["key waits once"])
    assert.deepStrictEqual(rules(history(39, 50, [held]), lost), [])
    assert.deepStrictEqual(rules(history(39, 75, [held]), [...lost, of("redis-kill", 50, 60)]), [])
  })

  it("on a connection with consumers that was ended for a binding is found", () => {
    const ended = (detail: string) => rules(history(0, 0, [{ t: "closed", detail }]), [])
    assert.deepStrictEqual(ended('541 (INTERNAL-ERROR) with message "INTERNAL_ERROR"'), ["line ended"])
    assert.deepStrictEqual(ended('320 (CONNECTION-FORCED) with message "CONNECTION_FORCED"'), [])
  })
})
