/** The ring of the embedded broker compared with an array, and its heap of delays with a sort. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Delays from "../../src/memory/Delays.ts"
import * as Deque from "../../src/memory/Deque.ts"
import * as Stage from "./EmbeddedClients.ts"

const Moves = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: -40, maximum: 60 })))

describe("Deque", () => {
  it.prop("behaves like an array that is pushed and shifted, while it grows and shrinks", [Moves], ([moves]) => {
    const deque = Deque.make<number>()
    const model: Array<number> = []
    let next = 0
    for (const move of moves) {
      for (let i = 0; i < move; i++) {
        deque.push(next)
        model.push(next++)
      }
      for (let i = 0; i > move; i--) assert.strictEqual(deque.shift(), model.shift())
      assert.strictEqual(deque.size(), model.length)
      assert.deepStrictEqual(deque.toArray(), model)
    }
    deque.clear()
    assert.deepStrictEqual([deque.size(), deque.shift()], [0, undefined])
  })

  it("P13: holds no item that was taken", async () => {
    const deque = Deque.make<object>()
    const taken: Array<WeakRef<object>> = []
    for (let n = 0; n < 10; n++) deque.push({ n })
    for (let n = 0; n < 10; n++) taken.push(new WeakRef(deque.shift() ?? assert.fail("it is empty")))
    await Effect.runPromise(Stage.turns)
    Stage.collect()
    assert.strictEqual(taken.filter((item) => item.deref() !== undefined).length, 0)
    assert.strictEqual(deque.size(), 0)
  })

  it("keeps undefined as an item", () => {
    const deque = Deque.make<undefined>()
    deque.push(undefined)
    assert.deepStrictEqual([deque.size(), deque.toArray()], [1, [undefined]])
  })
})

describe("Delays", () => {
  it.prop(
    "end in the order of their times, equal ones in the order of their addition",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))), Schema.Int],
    ([dues, seed]) => {
      const delays = Delays.make<readonly [number, number]>()
      const waiting = dues.map((due, index) => [due, index] as const)
      for (const entry of waiting) delays.add(entry[0], entry)
      const sorted = waiting.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
      const now = Math.abs(seed % 21)
      assert.strictEqual(delays.next(), sorted[0]?.[0])
      assert.deepStrictEqual(
        delays.takeDue(now),
        sorted.filter(([due]) => due <= now)
      )
      assert.deepStrictEqual(
        delays.takeDue(20),
        sorted.filter(([due]) => due > now)
      )
      assert.deepStrictEqual([delays.size(), delays.next()], [0, undefined])
    }
  )
})
