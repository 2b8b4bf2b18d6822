/** The rules of processes find what they must find: histories written by hand. */
import { assert, it } from "vitest"
import type { Window } from "./Deployment.ts"
import { historyOf } from "./History.ts"
import type { Entry } from "./Journal.ts"
import { lateRefusals, mayComeTwice } from "./ProcessRules.ts"

/** A publish that began and had its outcome at these seconds, while a right was taken from second 10 to 15. */
const refused = (began: number, ended: number): ReadonlyArray<string> => {
  const windows: Array<Window> = [{ kind: "take-write", targets: ["p0"], from: 10_000, to: 15_000 }]
  const common = { who: "p0", life: 1, id: "p0/e-1" } as const
  const entries: ReadonlyArray<Entry> = [
    { ...common, t: "intent", at: began * 1000, key: "k", seq: 0, kind: "plain" },
    { ...common, t: "outcome", at: ended * 1000, ms: (ended - began) * 1000, outcome: "Denied" }
  ]
  return lateRefusals({ windows }, historyOf(entries, [])).map(({ rule }) => rule)
}

it("a publish without a right that waits for its outcome is found, and one that waited for a lost line before is not", () => {
  assert.deepStrictEqual(refused(11, 12), [])
  assert.deepStrictEqual(refused(11, 21), ["late refusal"])
  assert.deepStrictEqual(refused(1, 14), [])
  assert.deepStrictEqual(refused(1, 20), ["late refusal"])
})

it("a second copy may come late of what was on its way when a line was lost, and of nothing else", () => {
  const windows: Array<Window> = [
    { kind: "node-cut", targets: [], from: 10_000, to: 15_000 },
    { kind: "redis-kill", targets: [], from: 30_000, to: 35_000 }
  ]
  const confirmed = (id: string, at: number, ms: number): ReadonlyArray<Entry> => [
    { who: "p0", life: 1, id, t: "intent", at: at - ms, key: "k", seq: 0, kind: "plain" },
    { who: "p0", life: 1, id, t: "outcome", at, ms, outcome: "Confirmed" }
  ]
  const entries = [
    ...confirmed("before", 9_000, 100),
    ...confirmed("during", 12_000, 100),
    ...confirmed("across", 25_000, 12_000),
    ...confirmed("after", 25_000, 100),
    ...confirmed("without-redis", 32_000, 100),
    ...confirmed("unknown", 40_000, 100).slice(0, 1)
  ]
  assert.deepStrictEqual([...mayComeTwice(historyOf(entries, []), windows)].toSorted(), ["across", "during", "unknown"])
})
