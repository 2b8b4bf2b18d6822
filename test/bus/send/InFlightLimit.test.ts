/** The limit by count and bytes, first come first served, and the phases of a drain (P13). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as InFlightLimit from "../../../src/bus/send/InFlightLimit.ts"

const waiter = (admitted: Array<string>, name: string, bytes = 1, privileged = false): InFlightLimit.Waiter => ({
  bytes,
  privileged,
  admit: () => void admitted.push(name)
})

describe("InFlightLimit", () => {
  it("limits by count and by bytes", () => {
    const limit = InFlightLimit.make({ count: 2, bytes: 100 })
    assert.isTrue(limit.tryEnter(60, false))
    assert.isFalse(limit.tryEnter(41, false))
    assert.isTrue(limit.tryEnter(40, false))
    assert.isFalse(limit.tryEnter(0, false))
    assert.deepStrictEqual([limit.inFlight(), limit.bytes()], [2, 100])
    limit.leave(60)
    assert.isTrue(limit.tryEnter(60, false))
  })

  it("lets a message that is larger than the limit pass alone", () => {
    const limit = InFlightLimit.make({ count: 10, bytes: 100 })
    assert.isTrue(limit.tryEnter(1_000, false))
    assert.isFalse(limit.tryEnter(1, false))
    limit.leave(1_000)
    assert.isTrue(limit.tryEnter(1, false))
    assert.isFalse(limit.tryEnter(1_000, false))
  })

  it("admits in the order of waiting: a small message does not overtake a large one", () => {
    const limit = InFlightLimit.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    limit.tryEnter(80, false)
    limit.wait(waiter(admitted, "large", 50))
    limit.wait(waiter(admitted, "small", 1))
    assert.deepStrictEqual(admitted, [])
    assert.isFalse(limit.tryEnter(1, false), "who comes later does not enter before who waits")
    limit.leave(80)
    assert.deepStrictEqual(admitted, ["large", "small"])
    assert.deepStrictEqual([limit.inFlight(), limit.bytes(), limit.waiting()], [2, 51, 0])
  })

  it("forgets a waiter that gives up, and the next one proceeds", () => {
    const limit = InFlightLimit.make({ count: 1, bytes: 100 })
    const admitted: Array<string> = []
    limit.tryEnter(1, false)
    const first = waiter(admitted, "first")
    limit.wait(first)
    limit.wait(waiter(admitted, "second"))
    limit.giveUp(first)
    limit.giveUp(first)
    limit.leave(1)
    assert.deepStrictEqual(admitted, ["second"])
    assert.strictEqual(limit.waiting(), 0)
  })

  it("a waiter that gives up at the head lets the next one in, although nothing left", () => {
    const limit = InFlightLimit.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    limit.tryEnter(80, false)
    const large = waiter(admitted, "large", 50)
    limit.wait(large)
    limit.wait(waiter(admitted, "small", 1))
    limit.giveUp(large)
    assert.deepStrictEqual(admitted, ["small"])
  })

  it("is shut while the broker is away, and opens in order", () => {
    const limit = InFlightLimit.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    limit.setReady(false)
    assert.isFalse(limit.tryEnter(1, true))
    for (const name of ["a", "b", "c"]) limit.wait(waiter(admitted, name))
    assert.deepStrictEqual(admitted, [])
    limit.setReady(true)
    assert.deepStrictEqual(admitted, ["a", "b", "c"])
  })

  it("P12: in a drain handlers still pass and callers do not; in the end nothing passes", () => {
    const limit = InFlightLimit.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    limit.setPhase("handlers-only")
    limit.wait(waiter(admitted, "caller", 1, false))
    limit.wait(waiter(admitted, "handler", 1, true))
    assert.deepStrictEqual(admitted, ["handler"])
    limit.setPhase("shut")
    limit.wait(waiter(admitted, "late handler", 1, true))
    assert.deepStrictEqual(admitted, ["handler"])
    assert.strictEqual(limit.phase(), "shut")
  })

  it("P12: callers that may not pass do not block a handler", () => {
    const limit = InFlightLimit.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    limit.setReady(false)
    limit.wait(waiter(admitted, "caller", 1, false))
    limit.setPhase("handlers-only")
    limit.setReady(true)
    assert.isFalse(limit.tryEnter(1, false))
    limit.wait(waiter(admitted, "handler", 1, true))
    assert.deepStrictEqual(admitted, ["handler"])
  })

  it("admits a great many waiters that are answered at once, without a deep stack", () => {
    const limit = InFlightLimit.make({ count: 1, bytes: 100 })
    let entered = 0
    limit.tryEnter(1, false)
    for (let i = 0; i < 50_000; i++) {
      limit.wait({
        bytes: 1,
        privileged: false,
        admit: () => {
          entered++
          limit.leave(1)
        }
      })
    }
    limit.leave(1)
    assert.strictEqual(entered, 50_000)
    assert.deepStrictEqual([limit.inFlight(), limit.bytes(), limit.waiting()], [0, 0, 0])
  })

  const Step = Schema.Union([
    Schema.TaggedStruct("come", { bytes: Schema.Literals([0, 1, 30, 60, 99, 100, 250]) }),
    Schema.TaggedStruct("leave", { which: Schema.Literals([0, 1, 2, 3]) }),
    Schema.TaggedStruct("giveUp", { which: Schema.Literals([0, 1, 2, 3]) }),
    Schema.TaggedStruct("ready", { value: Schema.Boolean })
  ])
  it.prop(
    "behaves like a queue in front of a bounded room, whatever enters and leaves",
    [Schema.Array(Step)],
    ([steps]) => {
      const limit = InFlightLimit.make({ count: 4, bytes: 100 })
      const inside: Array<{ readonly id: number; readonly bytes: number }> = []
      const entered: Array<number> = []
      const waiting: Array<{ readonly id: number; readonly bytes: number; readonly waiter: InFlightLimit.Waiter }> = []
      const model = {
        inside: [] as Array<{ id: number; bytes: number }>,
        queue: [] as Array<{ id: number; bytes: number }>,
        ready: true
      }
      const bytesOf = (items: ReadonlyArray<{ readonly bytes: number }>): number =>
        items.reduce((sum, item) => sum + item.bytes, 0)
      const settle = (): void => {
        for (;;) {
          const [head] = model.queue
          if (head === undefined || !model.ready) return
          if (model.inside.length >= 4 || (model.inside.length > 0 && bytesOf(model.inside) + head.bytes > 100)) return
          model.queue.shift()
          model.inside.push(head)
        }
      }
      let next = 0
      for (const step of steps) {
        switch (step._tag) {
          case "come": {
            const item = { id: next++, bytes: step.bytes }
            model.queue.push({ ...item })
            if (limit.tryEnter(item.bytes, false)) {
              inside.push(item)
              entered.push(item.id)
            } else {
              const waiter: InFlightLimit.Waiter = {
                bytes: item.bytes,
                privileged: false,
                admit: () => {
                  waiting.splice(
                    waiting.findIndex(({ id }) => id === item.id),
                    1
                  )
                  inside.push(item)
                  entered.push(item.id)
                }
              }
              waiting.push({ ...item, waiter })
              limit.wait(waiter)
            }
            break
          }
          case "leave": {
            const [gone] = inside.splice(step.which, 1)
            if (gone === undefined) break
            model.inside = model.inside.filter(({ id }) => id !== gone.id)
            limit.leave(gone.bytes)
            break
          }
          case "giveUp": {
            const [gone] = waiting.splice(step.which, 1)
            if (gone === undefined) break
            model.queue = model.queue.filter(({ id }) => id !== gone.id)
            limit.giveUp(gone.waiter)
            break
          }
          case "ready": {
            model.ready = step.value
            limit.setReady(step.value)
          }
        }
        settle()
        assert.deepStrictEqual(inside.map(({ id }) => id).toSorted(), model.inside.map(({ id }) => id).toSorted())
        assert.deepStrictEqual(
          waiting.map(({ id }) => id),
          model.queue.map(({ id }) => id)
        )
        assert.deepStrictEqual(
          [limit.inFlight(), limit.bytes(), limit.waiting()],
          [inside.length, bytesOf(inside), waiting.length]
        )
        assert.deepStrictEqual(
          entered.toSorted((a, b) => a - b),
          entered
        )
      }
    }
  )
})
