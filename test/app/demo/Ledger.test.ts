/** Published = handled + dead-lettered for each subscriber, counting events of this run only, each once. */
import { assert, describe, it } from "@effect/vitest"
import { Ledger } from "../../../src/app/demo/Ledger.ts"
import * as Summary from "../../../src/app/demo/Summary.ts"
import { Unroutable } from "../../../src/bus/send/PublishReason.ts"
import { GradePosted, PostCreated } from "../../../src/catalog/index.ts"

const grade = (id: string) => ({ event: GradePosted.name, id })
const post = (id: string) => ({ event: PostCreated.name, id })
const setUp = () => {
  const ledger = new Ledger({ keepIds: true })
  const grades = ledger.openAccount("academic", "academic.grades", [GradePosted])
  const all = ledger.openAccount("social", "social.all", [GradePosted, PostCreated])
  const publish = (event: { readonly event: string; readonly id: string }): void => {
    ledger.enter(event)
    ledger.recordPublished(event)
  }
  /** `dead` is the number that the bus counts, including events of earlier runs. */
  const summarise = (dead: Readonly<Record<string, number>> = {}) =>
    Summary.summarise(
      ledger,
      ledger.accounts.map((account) => ({
        account,
        expected: ledger.expected(account),
        handled: account.handled.size,
        deadLettered: (dead[account.subscriber] ?? 0) - account.ignoredDeadLetters,
        stats: { held: 0, retried: 0, postponed: 0 }
      }))
    )
  return { ledger, grades, all, publish, summarise }
}

describe("the ledger", () => {
  it("adds up if each of its subscribers handles or dead-letters each event", () => {
    const { all, summarise, grades, ledger, publish } = setUp()
    publish(grade("1"))
    publish(post("2"))
    assert.deepStrictEqual([ledger.expected(grades), ledger.expected(all), ledger.total()], [1, 2, 2])
    ledger.recordHandled(grades, grade("1"))
    ledger.recordHandled(all, grade("1"))
    ledger.recordDeadLettered("social.all", post("2"))
    const { accounted, text } = summarise({ "social.all": 1 })
    assert.isTrue(accounted)
    assert.include(text, "every event is accounted for")
  })

  it("reports what is missing, and for which subscriber", () => {
    const { all, summarise, ledger, publish } = setUp()
    publish(grade("1"))
    ledger.recordHandled(all, grade("1"))
    const { accounted, text } = summarise()
    assert.isFalse(accounted)
    assert.match(text, /academic\.grades .* 1 missing/)
    assert.notMatch(text, /social\.all .* missing/)
  })

  it("an event that is handled twice counts once, and so does one that is published again", () => {
    const { all, summarise, grades, ledger, publish } = setUp()
    publish(grade("1"))
    publish(grade("1"))
    for (const account of [grades, grades, all, all]) ledger.recordHandled(account, grade("1"))
    assert.deepStrictEqual([grades.duplicates, all.duplicates, ledger.total()], [1, 1, 1])
    assert.isTrue(summarise().accounted)
  })

  it("an event that is handled and then dead-lettered counts once", () => {
    const { all, summarise, grades, ledger, publish } = setUp()
    publish(grade("1"))
    ledger.recordHandled(grades, grade("1"))
    ledger.recordDeadLettered("academic.grades", grade("1"))
    ledger.recordDeadLettered("social.all", grade("1"))
    ledger.recordHandled(all, grade("1"))
    assert.deepStrictEqual([grades.duplicates, all.duplicates], [1, 1])
    assert.isTrue(summarise({ "academic.grades": 1, "social.all": 1 }).accounted)
  })

  it("events that an earlier run left in a queue are counted separately", () => {
    const { all, summarise, grades, ledger } = setUp()
    ledger.recordHandled(grades, grade("old"))
    ledger.recordDeadLettered("social.all", post("older"))
    assert.deepStrictEqual([grades.foreign, all.foreign, ledger.total()], [1, 1, 0])
    const { accounted, text } = summarise({ "social.all": 1 })
    assert.isTrue(accounted)
    assert.include(text, "2 deliveries were left")
  })

  it("an event whose publish was not confirmed counts as soon as a subscriber has it", () => {
    const { all, summarise, grades, ledger } = setUp()
    ledger.enter(grade("1"))
    assert.strictEqual(ledger.expected(grades), 0)
    ledger.recordHandled(all, grade("1"))
    assert.strictEqual(ledger.expected(grades), 1)
    assert.isFalse(summarise().accounted)
    ledger.recordHandled(grades, grade("1"))
    // The late confirm changes nothing.
    ledger.recordPublished(grade("1"))
    assert.isTrue(summarise().accounted)
  })

  it("an event that is due after this run is reported and not waited for, unless it arrives", () => {
    const { all, summarise, ledger } = setUp()
    ledger.enter(post("1"))
    ledger.recordDelayed(post("1"))
    assert.strictEqual(ledger.expected(all), 0)
    assert.include(summarise().text, "1 events are due after the end")
    ledger.recordHandled(all, post("1"))
    assert.deepStrictEqual([ledger.expected(all), ledger.delayed()], [1, 0])
  })

  it("a failed publish is reported, and is a failure", () => {
    const { summarise, ledger } = setUp()
    ledger.enter(post("1"))
    ledger.recordFailed(new Unroutable())
    const { accounted, text } = summarise()
    assert.isFalse(accounted)
    assert.include(text, "1 events were not published; the last failed with Unroutable")
  })

  it("without ids it keeps only numbers, for a demo that runs for days", () => {
    const ledger = new Ledger({ keepIds: false })
    const account = ledger.openAccount("social", "social.all", [PostCreated])
    for (const id of ["1", "2", "3"]) {
      ledger.enter(post(id))
      ledger.recordPublished(post(id))
      ledger.recordHandled(account, post(id))
      ledger.recordDeadLettered("social.all", post(id))
    }
    assert.deepStrictEqual([ledger.total(), account.handled.size, account.deadLettered.size], [3, 0, 0])
  })
})
