/** A handler that computes for seconds is seen (C10). */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import * as EventLoop from "../../src/bus/EventLoop.ts"

/** Computes, and lets nobody else run. */
const spin = (millis: number) =>
  Effect.sync(() => {
    const end = performance.now() + millis
    while (performance.now() < end);
  })

const late = ({ detail }: { readonly detail: string }): number => Number(/at most (\d+) ms/.exec(detail)?.[1])

describe("event loop", () => {
  it.live("C10: how late it was is told", () =>
    Effect.gen(function* () {
      const probe = yield* EventLoop.watch(Context.empty())
      yield* Effect.sleep(200)
      yield* spin(1_000)
      yield* Effect.sleep(200)
      const told = yield* probe.check
      assert.isAtLeast(late(told), 800)
      assert.strictEqual(told.status, late(told) >= 5_000 ? "degraded" : "up")
    })
  )
})
