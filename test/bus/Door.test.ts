/** Bounds by count and bytes, first come first served, and the phases of a drain (P13). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Door from "../../src/bus/Door.ts"

const waiter = (admitted: Array<string>, name: string, bytes = 1, privileged = false): Door.Waiter => ({
  bytes,
  privileged,
  admit: () => void admitted.push(name)
})

describe("Door", () => {
  it("bounds by count and by bytes", () => {
    const door = Door.make({ count: 2, bytes: 100 })
    assert.isTrue(door.tryEnter(60, false))
    assert.isFalse(door.tryEnter(41, false))
    assert.isTrue(door.tryEnter(40, false))
    assert.isFalse(door.tryEnter(0, false))
    assert.deepStrictEqual([door.inFlight(), door.bytes()], [2, 100])
    door.leave(60)
    assert.isTrue(door.tryEnter(60, false))
  })

  it("lets one that is larger than everything pass alone", () => {
    const door = Door.make({ count: 10, bytes: 100 })
    assert.isTrue(door.tryEnter(1_000, false))
    assert.isFalse(door.tryEnter(1, false))
    door.leave(1_000)
    assert.isTrue(door.tryEnter(1, false))
    assert.isFalse(door.tryEnter(1_000, false))
  })

  it("admits in the order of waiting: a small one does not overtake a large one", () => {
    const door = Door.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    door.tryEnter(80, false)
    door.wait(waiter(admitted, "large", 50))
    door.wait(waiter(admitted, "small", 1))
    assert.deepStrictEqual(admitted, [])
    assert.isFalse(door.tryEnter(1, false), "who comes later does not enter before who waits")
    door.leave(80)
    assert.deepStrictEqual(admitted, ["large", "small"])
    assert.deepStrictEqual([door.inFlight(), door.bytes(), door.waiting()], [2, 51, 0])
  })

  it("forgets who gives up, and who waited behind goes on", () => {
    const door = Door.make({ count: 1, bytes: 100 })
    const admitted: Array<string> = []
    door.tryEnter(1, false)
    const first = waiter(admitted, "first")
    door.wait(first)
    door.wait(waiter(admitted, "second"))
    door.giveUp(first)
    door.giveUp(first)
    door.leave(1)
    assert.deepStrictEqual(admitted, ["second"])
    assert.strictEqual(door.waiting(), 0)
  })

  it("who gives up at the head lets through who waited behind it, without anybody leaving", () => {
    const door = Door.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    door.tryEnter(80, false)
    const large = waiter(admitted, "large", 50)
    door.wait(large)
    door.wait(waiter(admitted, "small", 1))
    door.giveUp(large)
    assert.deepStrictEqual(admitted, ["small"])
  })

  it("is shut while the broker is away, and opens in order", () => {
    const door = Door.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    door.setReady(false)
    assert.isFalse(door.tryEnter(1, true))
    for (const name of ["a", "b", "c"]) door.wait(waiter(admitted, name))
    assert.deepStrictEqual(admitted, [])
    door.setReady(true)
    assert.deepStrictEqual(admitted, ["a", "b", "c"])
  })

  it("P12: in a drain handlers still pass, others do not, and in the end nobody", () => {
    const door = Door.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    door.setPhase("handlers only")
    door.wait(waiter(admitted, "caller", 1, false))
    door.wait(waiter(admitted, "handler", 1, true))
    assert.deepStrictEqual(admitted, ["handler"])
    door.setPhase("shut")
    door.wait(waiter(admitted, "late handler", 1, true))
    assert.deepStrictEqual(admitted, ["handler"])
    assert.strictEqual(door.phase(), "shut")
  })

  it("P12: a handler is not stopped by callers that may not pass", () => {
    const door = Door.make({ count: 10, bytes: 100 })
    const admitted: Array<string> = []
    door.setReady(false)
    door.wait(waiter(admitted, "caller", 1, false))
    door.setPhase("handlers only")
    door.setReady(true)
    assert.isFalse(door.tryEnter(1, false))
    door.wait(waiter(admitted, "handler", 1, true))
    assert.deepStrictEqual(admitted, ["handler"])
  })

  it("admits very many whose answer comes at once, without a deep stack", () => {
    const door = Door.make({ count: 1, bytes: 100 })
    let entered = 0
    door.tryEnter(1, false)
    for (let i = 0; i < 50_000; i++) {
      door.wait({
        bytes: 1,
        privileged: false,
        admit: () => {
          entered++
          door.leave(1)
        }
      })
    }
    door.leave(1)
    assert.strictEqual(entered, 50_000)
    assert.deepStrictEqual([door.inFlight(), door.bytes(), door.waiting()], [0, 0, 0])
  })

  const Step = Schema.Union([
    Schema.TaggedStruct("come", { bytes: Schema.Literals([0, 1, 30, 60, 99, 100, 250]) }),
    Schema.TaggedStruct("leave", { which: Schema.Literals([0, 1, 2, 3]) }),
    Schema.TaggedStruct("giveUp", { which: Schema.Literals([0, 1, 2, 3]) }),
    Schema.TaggedStruct("ready", { value: Schema.Boolean })
  ])
  it.prop(
    "agrees with a queue in front of a bounded room, whatever comes and goes",
    [Schema.Array(Step)],
    ([steps]) => {
      const door = Door.make({ count: 4, bytes: 100 })
      const inside: Array<{ readonly id: number; readonly bytes: number }> = []
      const entered: Array<number> = []
      const waiting: Array<{ readonly id: number; readonly bytes: number; readonly waiter: Door.Waiter }> = []
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
            if (door.tryEnter(item.bytes, false)) {
              inside.push(item)
              entered.push(item.id)
            } else {
              const waiter: Door.Waiter = {
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
              door.wait(waiter)
            }
            break
          }
          case "leave": {
            const [gone] = inside.splice(step.which, 1)
            if (gone === undefined) break
            model.inside = model.inside.filter(({ id }) => id !== gone.id)
            door.leave(gone.bytes)
            break
          }
          case "giveUp": {
            const [gone] = waiting.splice(step.which, 1)
            if (gone === undefined) break
            model.queue = model.queue.filter(({ id }) => id !== gone.id)
            door.giveUp(gone.waiter)
            break
          }
          case "ready": {
            model.ready = step.value
            door.setReady(step.value)
          }
        }
        settle()
        assert.deepStrictEqual(inside.map(({ id }) => id).toSorted(), model.inside.map(({ id }) => id).toSorted())
        assert.deepStrictEqual(
          waiting.map(({ id }) => id),
          model.queue.map(({ id }) => id)
        )
        assert.deepStrictEqual(
          [door.inFlight(), door.bytes(), door.waiting()],
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
