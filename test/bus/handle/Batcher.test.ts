/** The places of a batch end one by one: with their part of its outcome, or because they left. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit } from "effect"
import { Batcher } from "../../../src/bus/handle/Batcher.ts"

const stage = (size: number, concurrency: number) => {
  const ran: Array<ReadonlyArray<string>> = []
  const finish: Array<() => void> = []
  const batcher = new Batcher<string, never>({
    size,
    concurrency,
    maxWaitMillis: 3_600_000,
    deadlineMillis: 3_600_000,
    context: Context.empty(),
    run: (items) =>
      Effect.callback<void>((resume) => {
        ran.push(items)
        finish.push(() => resume(Effect.void))
      }),
    outcome: (_items, exit) => () => exit ?? Exit.void
  })
  const ends = new Map<string, string>()
  const join = (item: string) => {
    const place = batcher.join(item, false)
    place.addObserver((exit) => ends.set(item, Exit.isSuccess(exit) ? "handled" : "left"))
    return place
  }
  return { batcher, ends, finish, join, ran }
}

describe("Batcher", () => {
  it("P12: who leaves before its batch runs ends at once, and takes nobody along", () => {
    const { batcher, ends, finish, join, ran } = stage(2, 1)
    join("a")
    join("b")
    // Due, behind the batch that runs.
    const [c] = [join("c"), join("d")]
    // Collecting.
    const e = join("e")
    c.interruptUnsafe()
    e.interruptUnsafe()
    assert.deepStrictEqual(
      [...ends],
      [
        ["c", "left"],
        ["e", "left"]
      ]
    )
    finish[0]?.()
    finish[1]?.()
    assert.deepStrictEqual(ran, [["a", "b"], ["d"]])
    batcher.flush()
    assert.deepStrictEqual(Object.fromEntries(ends), {
      a: "handled",
      b: "handled",
      c: "left",
      d: "handled",
      e: "left"
    })
  })

  it("P12: who leaves a batch that runs ends with it", () => {
    const { ends, finish, join, ran } = stage(2, 1)
    const a = join("a")
    join("b")
    assert.deepStrictEqual(ran, [["a", "b"]])
    a.interruptUnsafe()
    assert.strictEqual(ends.size, 0)
    finish[0]?.()
    assert.deepStrictEqual(Object.fromEntries(ends), { a: "left", b: "handled" })
  })
})
