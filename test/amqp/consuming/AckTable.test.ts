/** The acknowledgements of one channel against a model of the broker, in random orders of delivery, settling and flush. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as AckTable from "../../../src/amqp/consuming/AckTable.ts"

/** What RabbitMQ does with acks: a tag that is not outstanding is a 406, which closes the channel. */
const makeBroker = () => {
  const outstanding = new Set<number>()
  const acked: Array<number> = []
  let last = 0
  return {
    outstanding,
    acked,
    deliver: () => {
      outstanding.add(++last)
      return last
    },
    ack: (tag: number, upTo: boolean): void => {
      if (!outstanding.has(tag)) throw new Error(`406: unknown delivery tag ${tag}`)
      for (const other of upTo ? [...outstanding].filter((each) => each <= tag) : [tag]) {
        outstanding.delete(other)
        acked.push(other)
      }
    }
  }
}

/** Below 60 it is a delivery, below 95 a settlement of one that is held, else a flush. */
const Step = Schema.Struct({
  dice: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 })),
  pick: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))
})

describe("AckTable", () => {
  it.prop(
    "any order: only what is settled is acked, once, and all of it by the next flush",
    [Schema.Array(Step)],
    ([steps]) => {
      const broker = makeBroker()
      const settled = new Set<number>()
      const table = AckTable.make((tag, upTo) => {
        broker.ack(tag, upTo)
        assert.deepStrictEqual(
          broker.acked.filter((each) => !settled.has(each)),
          [],
          "acked before it was settled"
        )
      })
      const held: Array<number> = []
      const flush = (): void => {
        table.flush()
        assert.deepStrictEqual(
          broker.acked.toSorted((a, b) => a - b),
          [...settled].toSorted((a, b) => a - b)
        )
      }
      for (const { dice, pick } of steps) {
        if (dice < 60) {
          const tag = broker.deliver()
          table.delivered(tag)
          held.push(tag)
        } else if (dice < 95) {
          const [tag] = held.splice(pick % Math.max(held.length, 1), 1)
          if (tag === undefined) continue
          assert.isTrue(table.settle(tag))
          settled.add(tag)
          assert.isFalse(table.settle(tag), "settled twice")
        } else flush()
        assert.strictEqual(table.outstanding(), held.length)
      }
      for (const tag of held.splice(0)) {
        settled.add(tag)
        assert.isTrue(table.settle(tag))
      }
      flush()
      assert.strictEqual(broker.outstanding.size, 0)
      assert.strictEqual(table.outstanding(), 0)
      for (const tag of settled) assert.isFalse(table.settle(tag), "settled again after it was acked")
    }
  )

  it("N9: a settled prefix is one ack of many, with its highest new tag", () => {
    const calls: Array<readonly [number, boolean]> = []
    const table = AckTable.make((...call) => void calls.push(call))
    for (let tag = 1; tag <= 10; tag++) table.delivered(tag)
    for (const tag of [4, 3, 9]) table.settle(tag)
    table.flush()
    assert.deepStrictEqual(calls.splice(0), [
      [4, false],
      [3, false],
      [9, false]
    ])
    // 3 and 4 are acked already: 4 must not be named again, though the prefix ends there.
    for (const tag of [1, 2]) table.settle(tag)
    table.flush()
    assert.deepStrictEqual(calls.splice(0), [[2, true]])
    for (const tag of [5, 6, 7, 8, 10]) table.settle(tag)
    table.flush()
    assert.deepStrictEqual(calls.splice(0), [[10, true]])
    table.flush()
    assert.deepStrictEqual(calls, [])
  })

  it("N9, C3: tags that were never delivered settle nothing", () => {
    const table = AckTable.make(() => assert.fail("nothing to ack"))
    for (const tag of [-1, 0, 1, 2 ** 40]) assert.isFalse(table.settle(tag))
    table.flush()
  })

  it("two hundred thousand out-of-order acks in a window of 250 leave nothing behind", () => {
    let calls = 0
    const table = AckTable.make(() => void calls++)
    const size = 250
    for (let start = 1; start < 200_000; start += size) {
      for (let i = 0; i < size; i++) table.delivered(start + i)
      for (let i = size - 1; i >= 0; i--) {
        assert.isTrue(table.settle(start + i))
        if (i % 50 === 0) table.flush()
      }
      assert.strictEqual(table.outstanding(), 0)
    }
    assert.isBelow(calls, 200_000)
  })
})
