/** What is in flight on a channel, by id: found while it is there, whatever the ids and however many. */
import { assert, describe, it } from "@effect/vitest"
import { SentTable } from "../../../src/amqp/publishing/SentTable.ts"
import * as TextHash from "../../../src/bus/support/TextHash.ts"
import { fromSeed } from "../../support/RandomSource.ts"

class Sent {
  readonly id: string
  readonly hash: number
  next: Sent | undefined = undefined

  constructor(id: string, hash: number) {
    this.id = id
    this.hash = hash
  }
}

const membersOf = (table: SentTable<Sent>, id: string): ReadonlyArray<Sent> => {
  const found: Array<Sent> = []
  for (let sent = table.chain(TextHash.of(id)); sent !== undefined; sent = sent.next)
    if (sent.id === id) found.push(sent)
  return found
}

describe("SentTable", () => {
  it("P2: finds what is there and nothing else, as a plain map does", () => {
    const { below, next, pick } = fromSeed(20270220)
    const table = new SentTable<Sent>()
    const plain = new Map<string, Set<Sent>>()
    const all: Array<Sent> = []
    const ids = Array.from({ length: 6000 }, (_, n) => pick([`order-${n}`, `${n}-created`, `é${n}`, ""]))
    for (let step = 0; step < 40_000; step++) {
      if (next() < (step < 20_000 ? 0.65 : 0.3)) {
        const id = pick(ids)
        const sent = new Sent(id, TextHash.of(id))
        table.add(sent)
        all.push(sent)
        plain.set(id, (plain.get(id) ?? new Set()).add(sent))
      } else if (all.length > 0) {
        const [sent] = all.splice(below(all.length), 1)
        if (sent === undefined) continue
        table.delete(sent)
        if (next() < 0.1) table.delete(sent)
        plain.get(sent.id)?.delete(sent)
      }
      assert.strictEqual(table.size, all.length)
      const id = pick(ids)
      const [found, expected] = [membersOf(table, id), plain.get(id) ?? new Set<Sent>()]
      assert.strictEqual(found.length, expected.size)
      assert.isTrue(found.every((sent) => expected.has(sent)))
    }
  })

  it("P2: has short chains, also when it has grown and the ids end alike", () => {
    const table = new SentTable<Sent>()
    for (let n = 0; n < 20_000; n++) table.add(new Sent(`${n}-created`, TextHash.of(`${n}-created`)))
    let longest = 0
    for (let n = 0; n < 20_000; n++) {
      let length = 0
      for (let sent = table.chain(TextHash.of(`${n}-created`)); sent !== undefined; sent = sent.next) length++
      longest = Math.max(longest, length)
    }
    assert.isBelow(longest, 20)
  })
})
