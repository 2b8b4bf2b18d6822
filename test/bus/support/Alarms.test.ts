/** Many alarms of one sleeping fiber: each rings once, at its time, in whatever order they were set. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Alarms from "../../../src/bus/support/Alarms.ts"

const stage = Effect.gen(function* () {
  const alarms = yield* Alarms.make
  const rung: Array<string> = []
  const set = (name: string, millis: number, then = () => {}): Alarms.Alarm => {
    const ring = (): void => {
      rung.push(name)
      then()
    }
    const alarm = { due: alarms.now() + millis, ring }
    alarms.set(alarm)
    return alarm
  }
  return { alarms, rung, set }
})

describe("alarms", () => {
  it.effect("ring once, at their time, whatever the order in which they were set", () =>
    Effect.gen(function* () {
      const { rung, set } = yield* stage
      for (const millis of [300, 100, 200, 1_000]) set(String(millis), millis)
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(rung, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(rung, ["100"])
      yield* TestClock.adjust(250)
      assert.deepStrictEqual(rung, ["100", "200", "300"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(rung, ["100", "200", "300", "1000"])
    }).pipe(Effect.scoped)
  )

  it.effect("do not ring once they were taken back, and leave the others as they are", () =>
    Effect.gen(function* () {
      const { alarms, rung, set } = yield* stage
      const first = set("first", 100)
      set("second", 200)
      alarms.takeBack(first)
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(rung, ["second"])
    }).pipe(Effect.scoped)
  )

  it.effect("may be set and taken back while one rings", () =>
    Effect.gen(function* () {
      const { alarms, rung, set } = yield* stage
      const other = set("other", 100)
      alarms.takeBack(other)
      set("one", 100, () => {
        alarms.takeBack(other)
        set("soon", 50)
        set("at once", 0)
      })
      alarms.set(other)
      yield* TestClock.adjust(149)
      assert.deepStrictEqual(rung, ["one", "at once"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(rung, ["one", "at once", "soon"])
    }).pipe(Effect.scoped)
  )

  it.effect("that are set when their scope ends still ring, and nothing sleeps behind the last one", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { alarms, rung, set } = yield* Scope.provide(stage, scope)
      const taken = set("taken", 1_000)
      set("set", 100)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(rung, ["set"])
      alarms.takeBack(taken)
      set("later", 10)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(rung, ["set", "later"])
    })
  )

  it("leave no timer that keeps a process alive when their scope has ended", async () => {
    const code = `
      import { Effect } from "effect"
      import * as Alarms from "${new URL("../../../src/bus/support/Alarms.ts", import.meta.url).href}"
      const alarm = { due: performance.now() + 1e8, ring: () => {} }
      const alarms = await Effect.runPromise(Effect.scoped(Effect.tap(Alarms.make, (all) => Effect.sync(() => all.set(alarm)))))
      alarms.takeBack(alarm)
      console.log("taken back")`
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code])
    assert.strictEqual(stdout, "taken back\n")
  })
})
