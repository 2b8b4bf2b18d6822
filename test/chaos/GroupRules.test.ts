/** The rules find what they must find: small histories, written by hand, with one thing wrong in each. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "vitest"
import type { Kind } from "./Events.ts"
import type { Group } from "./ProcessOptions.ts"
import { historyOf } from "./History.ts"
import type { Entry, Line } from "./Journal.ts"
import { ofBroker, type RawDeadLetter } from "./DeadLetterReader.ts"
import type { Window } from "./Deployment.ts"
import { type GroupFigures, judge, type Rule } from "./GroupRules.ts"
import type { Death } from "./Worker.ts"

const name = "g"
const body = Buffer.from("poison")
const sha = createHash("sha256").update(body).digest("hex")

/** A history written in order; each line takes a second. */
class Scenario {
  readonly entries: Array<Entry> = []
  readonly windows: Array<Window> = []
  readonly deaths: Array<Death> = []
  readonly letters: Array<RawDeadLetter> = []
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
  bury(event: string, letter: Partial<RawDeadLetter> = {}): this {
    this.letters.push({
      event,
      subscriber: name,
      reason: "Exhausted",
      tag: "Thrown",
      attempts: 4,
      timeouts: 0,
      failures: "[]",
      firstFailure: 1,
      lastFailure: 2,
      host: "h",
      library: "l",
      body,
      ...letter
    })
    return this
  }
  /** The last line happened during this fault. */
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
const scenario = (): Scenario => new Scenario()
const rulesOf = (events: Scenario, group: Partial<Group> = {}): ReadonlyArray<Rule> => events.judged(group).rules

describe("the rules of a group", () => {
  it("find nothing when all is well, however unconfirmed events ended", () => {
    const events = scenario()
      .publish("a", 0)
      .publish("b", 1, "Unknown")
      .publish("c", 2, null)
      .publish("d", 3, "Overloaded")
      .publish("x", 4, "Confirmed", "throw")
      .handle("a", 0)
      .handle("c", 2)
      .bury("x")
    const { figures, rules } = events.judged()
    assert.deepStrictEqual(rules, [])
    assert.deepInclude(figures, { confirmed: 2, unknown: 2, unknownHandled: 1, refused: 1, handled: 2, poison: 1 })
  })

  it("find lost events, ghosts, and events that arrived although they were refused", () => {
    assert.deepStrictEqual(rulesOf(scenario().publish("a", 0)), ["lost"])
    assert.deepStrictEqual(rulesOf(scenario().publish("a", 0, "Unknown").publish("a", 0, "Confirmed").start("a", 0)), [
      "lost"
    ])
    assert.deepStrictEqual(rulesOf(scenario().handle("a", 0)), ["ghost"])
    assert.deepStrictEqual(rulesOf(scenario().publish("a", 0, "Unavailable").handle("a", 0)), ["refused but there"])
    const again = scenario().publish("a", 0, "Unavailable").write({ t: "again", id: "a" })
    assert.deepStrictEqual(rulesOf(again.handle("a", 0)), [])
  })

  it("find innocent dead letters, handled poison, and a wrong diagnosis", () => {
    assert.deepStrictEqual(rulesOf(scenario().publish("a", 0).bury("a")), ["innocent dead letter"])
    const poison = (): Scenario => scenario().publish("a", 0, "Confirmed", "throw")
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
    const rejected = (attempts: number, timeouts: number): ReadonlyArray<string> =>
      rulesOf(
        scenario()
          .publish("a", 0, "Confirmed", "reject")
          .bury("a", { reason: "Rejected", tag: "Reject", attempts, timeouts })
      )
    assert.deepStrictEqual(rejected(1, 0), [])
    assert.deepStrictEqual(rejected(2, 1), [])
    assert.deepStrictEqual(rejected(2, 0), ["wrong diagnosis"])
    const left = { reason: ofBroker }
    assert.deepStrictEqual(rulesOf(poison().bury("a", left)), ["wrong diagnosis"])
    assert.deepStrictEqual(rulesOf(poison().during("take-copies", "a1").bury("a", left)), [])
    const flaky = (): Scenario => scenario().publish("a", 0, "Confirmed", "flaky").bury("a", left)
    assert.deepStrictEqual(rulesOf(flaky()), ["innocent dead letter"])
    assert.deepStrictEqual(rulesOf(flaky().during("take-copies", "a1")), [])
  })

  it("judge a group by the events of its own flow, and a killer by its reason, whoever made the dead letter", () => {
    const events = (): Scenario =>
      scenario()
        .publish("a", 0)
        .write({ t: "intent", id: "m", key: "k", seq: 0, kind: "killer", flow: "mortal" })
        .write({ t: "wire", id: "m", sha })
        .write({ t: "outcome", id: "m", outcome: "Confirmed", ms: 1 })
    assert.deepStrictEqual(rulesOf(events(), { events: "mortal" }), ["lost"])
    assert.deepStrictEqual(rulesOf(events().handle("a", 0)), [])
    assert.deepStrictEqual(rulesOf(events().bury("m", { reason: "CrashLoop" }), { events: "mortal" }), [])
    assert.deepStrictEqual(
      rulesOf(events().bury("m", { reason: "delivery_limit", host: "" }), { events: "mortal" }),
      []
    )
    assert.deepStrictEqual(rulesOf(events().bury("m"), { events: "mortal" }), ["wrong diagnosis"])
  })

  it("find a later event that was handled first, but not an unconfirmed one or a duplicate of an earlier one", () => {
    const two = (first = "Confirmed"): Scenario => scenario().publish("a", 0, first).publish("b", 1)
    assert.deepStrictEqual(rulesOf(two().handle("b", 1).handle("a", 0)), ["order"])
    assert.deepStrictEqual(rulesOf(two().handle("b", 1).handle("a", 0), { ordering: "none" }), [])
    assert.deepStrictEqual(rulesOf(two("Unknown").handle("b", 1).handle("a", 0)), [])
    assert.deepStrictEqual(rulesOf(two().handle("a", 0).handle("b", 1).during("rst-all").handle("a", 0)), [])
  })

  it("find two handlers of one key at once; only the lost connection of the earlier one excuses it", () => {
    const both = (between: (events: Scenario) => Scenario): Scenario => {
      const events = between(scenario().publish("a", 0).publish("b", 1).start("a", 0, "s1"))
      return events.start("b", 1, "s2").end("done", "a", 0, "s1").end("done", "b", 1, "s2")
    }
    assert.deepStrictEqual(rulesOf(both((events) => events)), ["overlap"])
    assert.deepStrictEqual(
      rulesOf(
        both((events) => events),
        { ordering: "none" }
      ),
      []
    )
    assert.deepStrictEqual(rulesOf(both((events) => events.during("rolling-restart", "s1"))), ["overlap"])
    assert.deepStrictEqual(rulesOf(both((events) => events.during("rst-one", "s2"))), ["overlap"])
    const excused = both((events) => events.during("rst-one", "s1")).judged()
    assert.deepStrictEqual(excused.rules, [])
    assert.strictEqual(excused.figures.excusedOverlaps, 1)
  })

  it("end the handlers of a process with it", () => {
    const events = scenario().publish("a", 0).start("a", 0, "s1").die("s1").handle("a", 0, "s2")
    assert.deepStrictEqual(rulesOf(events), [])
  })

  it("bound duplicates by the faults, and account for each one of an idempotent subscriber", () => {
    const twice = (): Scenario => scenario().publish("a", 0).handle("a", 0)
    assert.deepStrictEqual(rulesOf(twice().handle("a", 0)), ["too many duplicates"])
    assert.deepStrictEqual(rulesOf(twice().during("rst-all").handle("a", 0)), [])
    assert.deepStrictEqual(rulesOf(twice().during("rst-all").handle("a", 0), { idempotent: true }), ["applied twice"])
    assert.deepStrictEqual(rulesOf(twice().during("redis-flush").handle("a", 0), { idempotent: true }), [])
    assert.deepStrictEqual(
      rulesOf(twice().during("kill-subscriber", "s1").die("s1").handle("a", 0, "s2"), { idempotent: true }),
      []
    )
    const silent = (subscriber: string): Scenario =>
      twice().during("rst-all").write({
        t: "log",
        level: "Warn",
        message: "idempotency: the store does not answer",
        fields: { subscriber }
      })
    assert.deepStrictEqual(rulesOf(silent(name).handle("a", 0), { idempotent: true }), [])
    assert.deepStrictEqual(rulesOf(silent("other").handle("a", 0), { idempotent: true }), ["applied twice"])
  })
})
