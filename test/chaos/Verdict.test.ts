/** The verdict sees what it has to see: small histories, written by hand, with one thing wrong in each. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "vitest"
import type { Group, Kind } from "./Contract.ts"
import { historyOf } from "./History.ts"
import type { Entry, Line } from "./Ledger.ts"
import type { Letter } from "./Letters.ts"
import type { Window } from "./Stage.ts"
import { type GroupFigures, judge, type Rule } from "./Verdict.ts"
import type { Death } from "./Worker.ts"

const name = "g"
const body = Buffer.from("poison")
const sha = createHash("sha256").update(body).digest("hex")

/** A story is told in order; each line takes a second. */
class Story {
  readonly entries: Array<Entry> = []
  readonly windows: Array<Window> = []
  readonly deaths: Array<Death> = []
  readonly letters: Array<Letter> = []
  private at = 0

  write(line: Line, who = "s1", life = 1): this {
    this.entries.push({ ...line, at: (this.at += 1000), who, life })
    return this
  }
  publish(id: string, seq: number, outcome: string | null = "Confirmed", kind: Kind = "plain", key = "k"): this {
    this.write({ t: "intent", id, key, seq, kind }, "p0")
    this.write({ t: "wire", id, sha }, "p0")
    return outcome === null ? this : this.write({ t: "outcome", id, outcome, ms: 1 }, "p0")
  }
  start(id: string, seq: number, who = "s1", key = "k"): this {
    return this.write({ t: "start", id, g: name, key, seq, attempt: 1, redelivered: false }, who)
  }
  end(t: "done" | "fail" | "stop", id: string, seq: number, who = "s1", key = "k"): this {
    return this.write({ t, id, g: name, key, seq }, who)
  }
  handle(id: string, seq: number, who = "s1"): this {
    return this.start(id, seq, who).end("done", id, seq, who)
  }
  bury(eventId: string, letter: Partial<Letter> = {}): this {
    this.letters.push({
      eventId,
      subscriber: name,
      reason: "Exhausted",
      tag: "Thrown",
      attempts: 4,
      firstFailure: 1,
      lastFailure: 2,
      host: "h",
      library: "l",
      body,
      ...letter
    })
    return this
  }
  /** The last thing happened during this. */
  during(kind: string, ...targets: ReadonlyArray<string>): this {
    this.windows.push({ kind, targets, from: this.at - 500, to: this.at + 500 })
    return this
  }
  die(who: string, how: Death["how"] = "SIGKILL"): this {
    this.deaths.push({ who, life: 1, at: this.at + 100, how, code: how, ms: 1 })
    return this
  }
  judged(group: Partial<Group> = {}): { readonly rules: ReadonlyArray<Rule>; readonly figures: GroupFigures } {
    const settled: Group = { name, events: "step", ordering: "key", idempotent: false, ...group }
    const { figures, violations } = judge(settled, {
      history: historyOf(this.entries, this.deaths),
      windows: this.windows,
      deaths: this.deaths,
      deadLetters: new Map([[name, this.letters]])
    })
    return { figures, rules: violations.map(({ rule }) => rule) }
  }
}
const story = (): Story => new Story()
const rulesOf = (told: Story, group: Partial<Group> = {}): ReadonlyArray<Rule> => told.judged(group).rules

describe("the verdict", () => {
  it("is green when all is well, whatever became of what nobody promised", () => {
    const told = story()
      .publish("a", 0)
      .publish("b", 1, "Unknown")
      .publish("c", 2, null)
      .publish("d", 3, "Overloaded")
      .publish("x", 4, "Confirmed", "throw")
      .handle("a", 0)
      .handle("c", 2)
      .bury("x")
    const { figures, rules } = told.judged()
    assert.deepStrictEqual(rules, [])
    assert.deepInclude(figures, { confirmed: 2, unknown: 2, unknownHandled: 1, refused: 1, handled: 2, poison: 1 })
  })

  it("sees what is lost, what nobody published, and what came although it was refused", () => {
    assert.deepStrictEqual(rulesOf(story().publish("a", 0)), ["lost"])
    assert.deepStrictEqual(rulesOf(story().publish("a", 0, "Unknown").publish("a", 0, "Confirmed").start("a", 0)), [
      "lost"
    ])
    assert.deepStrictEqual(rulesOf(story().handle("a", 0)), ["ghost"])
    assert.deepStrictEqual(rulesOf(story().publish("a", 0, "Unavailable").handle("a", 0)), ["refused but there"])
  })

  it("sees innocents among the dead, poison among the handled, and a wrong diagnosis", () => {
    assert.deepStrictEqual(rulesOf(story().publish("a", 0).bury("a")), ["innocent dead letter"])
    const poison = (): Story => story().publish("a", 0, "Confirmed", "throw")
    assert.deepStrictEqual(rulesOf(poison().handle("a", 0)), ["poison handled"])
    assert.deepStrictEqual(rulesOf(poison().bury("a")), [])
    for (const wrong of [
      { reason: "delivery_limit" },
      { tag: "Other" },
      { attempts: 3 },
      { subscriber: "other" },
      { body: Buffer.from("p") },
      { firstFailure: 3 },
      { host: "" }
    ]) {
      assert.deepStrictEqual(rulesOf(poison().bury("a", wrong)), ["wrong diagnosis"], JSON.stringify(wrong))
    }
  })

  it("sees a later event that was done first; not one that was never accepted, nor the copy of an earlier one", () => {
    const two = (first = "Confirmed"): Story => story().publish("a", 0, first).publish("b", 1)
    assert.deepStrictEqual(rulesOf(two().handle("b", 1).handle("a", 0)), ["order"])
    assert.deepStrictEqual(rulesOf(two().handle("b", 1).handle("a", 0), { ordering: "none" }), [])
    assert.deepStrictEqual(rulesOf(two("Unknown").handle("b", 1).handle("a", 0)), [])
    assert.deepStrictEqual(rulesOf(two().handle("a", 0).handle("b", 1).during("rst-all").handle("a", 0)), [])
  })

  it("sees two at once; the loss of the earlier one's connection is the one excuse", () => {
    const both = (between: (told: Story) => Story): Story => {
      const told = between(story().publish("a", 0).publish("b", 1).start("a", 0, "s1"))
      return told.start("b", 1, "s2").end("done", "a", 0, "s1").end("done", "b", 1, "s2")
    }
    assert.deepStrictEqual(rulesOf(both((told) => told)), ["overlap"])
    assert.deepStrictEqual(
      rulesOf(
        both((told) => told),
        { ordering: "none" }
      ),
      []
    )
    assert.deepStrictEqual(rulesOf(both((told) => told.during("rolling-restart", "s1"))), ["overlap"])
    assert.deepStrictEqual(rulesOf(both((told) => told.during("rst-one", "s2"))), ["overlap"])
    const excused = both((told) => told.during("rst-one", "s1")).judged()
    assert.deepStrictEqual(excused.rules, [])
    assert.strictEqual(excused.figures.excusedOverlaps, 1)
  })

  it("the end of a process ends its handlers", () => {
    const told = story().publish("a", 0).start("a", 0, "s1").die("s1").handle("a", 0, "s2")
    assert.deepStrictEqual(rulesOf(told), [])
  })

  it("bounds duplicates by what happened, and accounts for each of an idempotent subscriber", () => {
    const twice = (): Story => story().publish("a", 0).handle("a", 0)
    assert.deepStrictEqual(rulesOf(twice().handle("a", 0)), ["too many duplicates"])
    assert.deepStrictEqual(rulesOf(twice().during("rst-all").handle("a", 0)), [])
    assert.deepStrictEqual(rulesOf(twice().during("rst-all").handle("a", 0), { idempotent: true }), ["applied twice"])
    assert.deepStrictEqual(rulesOf(twice().during("redis-flush").handle("a", 0), { idempotent: true }), [])
    assert.deepStrictEqual(
      rulesOf(twice().during("kill-subscriber", "s1").die("s1").handle("a", 0, "s2"), { idempotent: true }),
      []
    )
  })
})
