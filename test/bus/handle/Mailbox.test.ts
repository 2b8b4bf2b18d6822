/** Which delivery may run next, checked against a plain model over random histories (P5, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { KeyedMailbox } from "../../../src/bus/handle/Lanes.ts"
import { type Mailbox, UnorderedMailbox } from "../../../src/bus/handle/Mailbox.ts"

interface Item {
  readonly id: number
  readonly key: string | undefined
}

const Key = Schema.Literals(["a", "b", "c", "none"])
const Step = Schema.Union([
  Schema.TaggedStruct("offer", { key: Key }),
  Schema.TaggedStruct("offer", { key: Key }),
  Schema.TaggedStruct("take", {}),
  Schema.TaggedStruct("take", {}),
  Schema.TaggedStruct("done", { which: Schema.Literals([0, 1, 2, 3]) }),
  Schema.TaggedStruct("again", { which: Schema.Literals([0, 1, 2, 3]) }),
  Schema.TaggedStruct("drop", { modulo: Schema.Literals([1, 2, 3]) })
])

describe("Mailbox", () => {
  it("unordered: the oldest comes first, and a delivery that is put back comes before it", () => {
    const box: Mailbox<number> = new UnorderedMailbox<number>()
    for (const n of [1, 2, 3]) box.offer(n, "k")
    assert.strictEqual(box.take(), 1)
    box.again(1, "k")
    assert.deepStrictEqual([box.take(), box.take()], [1, 2])
    assert.deepStrictEqual([box.behind("k"), box.lanes(), box.size()], [0, 0, 1])
    assert.deepStrictEqual(
      box.drop((n) => n === 3),
      [3]
    )
    assert.isUndefined(box.take())
  })

  it("keyed: a lane that waits blocks no other", () => {
    const box = new KeyedMailbox<string>()
    box.offer("a1", "a")
    box.offer("a2", "a")
    box.offer("b1", "b")
    assert.deepStrictEqual([box.take(), box.take(), box.take()], ["a1", "b1", undefined])
    assert.deepStrictEqual([box.behind("a"), box.behind("b"), box.lanes()], [1, 0, 2])
    box.done("b")
    box.offer("b2", "b")
    assert.strictEqual(box.take(), "b2")
    box.again("a1", "a")
    assert.strictEqual(box.take(), "a1")
    box.done("a")
    assert.strictEqual(box.take(), "a2")
  })

  it("keyed: lanes take turns", () => {
    const box = new KeyedMailbox<string>()
    for (let n = 0; n < 3; n++) for (const key of ["a", "b", "c"]) box.offer(`${key}${n}`, key)
    const taken: Array<string> = []
    for (let item = box.take(); item !== undefined; item = box.take()) {
      taken.push(item)
      box.done(item.slice(0, 1))
    }
    assert.deepStrictEqual(taken, ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"])
  })

  it("keyed: idle keys keep nothing", () => {
    const box = new KeyedMailbox<number>()
    for (let n = 0; n < 10_000; n++) {
      box.offer(n, `k${n}`)
      assert.strictEqual(box.take(), n)
      box.done(`k${n}`)
    }
    assert.deepStrictEqual([box.lanes(), box.size()], [0, 0])
    box.done("never seen")
    assert.strictEqual(box.lanes(), 0)
  })

  it.prop(
    "keyed: FIFO by key, one at a time, nothing lost or twice, lanes freed",
    [Schema.Array(Step)],
    ([steps]) => {
      const box = new KeyedMailbox<Item>()
      const model = new Map<string | undefined, Array<Item>>()
      const taken: Array<Item> = []
      let next = 0
      const queueOf = (key: string | undefined): Array<Item> => {
        const queue = model.get(key) ?? []
        model.set(key, queue)
        return queue
      }
      const free = (key: string | undefined): boolean => key === undefined || !taken.some((item) => item.key === key)
      for (const step of steps) {
        switch (step._tag) {
          case "offer": {
            const item: Item = { id: next++, key: step.key === "none" ? undefined : step.key }
            queueOf(item.key).push(item)
            box.offer(item, item.key)
            break
          }
          case "take": {
            const item = box.take()
            const could = [...model].filter(([key, queue]) => queue.length > 0 && free(key))
            if (item === undefined) {
              assert.deepStrictEqual(could, [], "something could have run")
              break
            }
            assert.isTrue(free(item.key), "two of one key at once")
            assert.strictEqual(queueOf(item.key).shift(), item, "not the first of its key")
            taken.push(item)
            break
          }
          case "done": {
            const [item] = taken.splice(step.which, 1)
            if (item !== undefined) box.done(item.key)
            break
          }
          case "again": {
            const [item] = taken.splice(step.which, 1)
            if (item === undefined) break
            queueOf(item.key).unshift(item)
            box.again(item, item.key)
            break
          }
          case "drop": {
            const gone = (item: Item): boolean => item.id % step.modulo === 0
            const expected = [...model.values()].flat().filter(gone)
            for (const [key, queue] of model)
              model.set(
                key,
                queue.filter((item) => !gone(item))
              )
            const dropped = box.drop(gone)
            assert.deepStrictEqual(dropped.map(({ id }) => id).toSorted(), expected.map(({ id }) => id).toSorted())
          }
        }
        const waiting = [...model.values()].flat()
        assert.strictEqual(box.size(), waiting.length)
        for (const key of ["a", "b", "c"]) assert.strictEqual(box.behind(key), queueOf(key).length)
        const busy = new Set([...waiting, ...taken].map(({ key }) => key).filter((key) => key !== undefined))
        assert.strictEqual(box.lanes(), busy.size, "a lane without work, or work without a lane")
      }
      // In the end every delivery comes out.
      for (const item of taken.splice(0)) box.done(item.key)
      for (let item = box.take(); item !== undefined; item = box.take()) {
        assert.strictEqual(queueOf(item.key).shift(), item)
        box.done(item.key)
      }
      assert.deepStrictEqual([[...model.values()].flat(), box.size(), box.lanes()], [[], 0, 0])
    },
    { arbitrary: { runs: 400, size: 60 } }
  )
})
