/** Published = handled + dead-lettered, per subscriber, of this run alone and each event once. */
import { assert, describe, it } from "@effect/vitest"
import * as Ledger from "../../src/app/demo/Ledger.ts"
import * as Summary from "../../src/app/demo/Summary.ts"
import { Unroutable } from "../../src/bus/BusError.ts"
import { GradePosted, PostCreated } from "../../src/catalog/index.ts"

const grade = (id: string) => ({ event: GradePosted.name, id })
const post = (id: string) => ({ event: PostCreated.name, id })
const open = () => {
  const ledger = Ledger.make({ keepIds: true })
  const grades = ledger.open("academic", "academic.grades", [GradePosted])
  const all = ledger.open("social", "social.all", [GradePosted, PostCreated])
  const say = (event: { readonly event: string; readonly id: string }): void => {
    ledger.begin(event)
    ledger.publish(event)
  }
  /** `dead`: what the bus counts, whoever published it. */
  const conclude = (dead: Readonly<Record<string, number>> = {}) =>
    Summary.write(
      ledger,
      ledger.accounts.map((account) => ({
        account,
        expected: ledger.expected(account),
        handled: account.handled.size,
        dead: (dead[account.subscriber] ?? 0) - account.deadBeside,
        stats: { held: 0, retried: 0, postponed: 0 }
      }))
    )
  return { ledger, grades, all, say, conclude }
}

describe("the ledger", () => {
  it("adds up when each event is handled or dead-lettered by everyone it is for", () => {
    const { all, conclude, grades, ledger, say } = open()
    say(grade("1"))
    say(post("2"))
    assert.deepStrictEqual([ledger.expected(grades), ledger.expected(all), ledger.total()], [1, 2, 2])
    ledger.handle(grades, grade("1"))
    ledger.handle(all, grade("1"))
    ledger.bury("social.all", post("2"))
    const { accounted, text } = conclude({ "social.all": 1 })
    assert.isTrue(accounted)
    assert.include(text, "every event is accounted for")
  })

  it("tells what is missing, and of whom", () => {
    const { all, conclude, ledger, say } = open()
    say(grade("1"))
    ledger.handle(all, grade("1"))
    const { accounted, text } = conclude()
    assert.isFalse(accounted)
    assert.match(text, /academic\.grades .* 1 missing/)
    assert.notMatch(text, /social\.all .* missing/)
  })

  it("an event handled twice counts once, and so does one that is published again", () => {
    const { all, conclude, grades, ledger, say } = open()
    say(grade("1"))
    say(grade("1"))
    for (const account of [grades, grades, all, all]) ledger.handle(account, grade("1"))
    assert.deepStrictEqual([grades.duplicates, all.duplicates, ledger.total()], [1, 1, 1])
    assert.isTrue(conclude().accounted)
  })

  it("handled and then dead-lettered counts once", () => {
    const { all, conclude, grades, ledger, say } = open()
    say(grade("1"))
    ledger.handle(grades, grade("1"))
    ledger.bury("academic.grades", grade("1"))
    ledger.bury("social.all", grade("1"))
    ledger.handle(all, grade("1"))
    assert.deepStrictEqual([grades.duplicates, all.duplicates], [1, 1])
    assert.isTrue(conclude({ "academic.grades": 1, "social.all": 1 }).accounted)
  })

  it("what an earlier run left in a queue is not of this run", () => {
    const { all, conclude, grades, ledger } = open()
    ledger.handle(grades, grade("old"))
    ledger.bury("social.all", post("older"))
    assert.deepStrictEqual([grades.foreign, all.foreign, ledger.total()], [1, 1, 0])
    const { accounted, text } = conclude({ "social.all": 1 })
    assert.isTrue(accounted)
    assert.include(text, "2 deliveries were left")
  })

  it("one whose publish was not confirmed counts as soon as somebody has it", () => {
    const { all, conclude, grades, ledger } = open()
    ledger.begin(grade("1"))
    assert.strictEqual(ledger.expected(grades), 0)
    ledger.handle(all, grade("1"))
    assert.strictEqual(ledger.expected(grades), 1)
    assert.isFalse(conclude().accounted)
    ledger.handle(grades, grade("1"))
    // The confirm that comes after it changes nothing.
    ledger.publish(grade("1"))
    assert.isTrue(conclude().accounted)
  })

  it("one that is due after this run is told and not waited for, unless it comes", () => {
    const { all, conclude, ledger } = open()
    ledger.begin(post("1"))
    ledger.postpone(post("1"))
    assert.strictEqual(ledger.expected(all), 0)
    assert.include(conclude().text, "1 events are due later")
    ledger.handle(all, post("1"))
    assert.deepStrictEqual([ledger.expected(all), ledger.postponed()], [1, 0])
  })

  it("what could not be published is told, and is a failure", () => {
    const { conclude, ledger } = open()
    ledger.begin(post("1"))
    ledger.fail(new Unroutable())
    const { accounted, text } = conclude()
    assert.isFalse(accounted)
    assert.include(text, "1 events were not published; at last Unroutable")
  })

  it("of a demo that runs for days it keeps numbers alone", () => {
    const ledger = Ledger.make({ keepIds: false })
    const account = ledger.open("social", "social.all", [PostCreated])
    for (const id of ["1", "2", "3"]) {
      ledger.begin(post(id))
      ledger.publish(post(id))
      ledger.handle(account, post(id))
      ledger.bury("social.all", post(id))
    }
    assert.deepStrictEqual([ledger.total(), account.handled.size, account.dead.size], [3, 0, 0])
  })
})
