/** A handler that computes for seconds shows in health and is named in the log. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Event, EventBus, Health, Subscriber } from "../../../src/index.ts"
import * as EventLoop from "../../../src/bus/health/EventLoop.ts"
import { LongHandlers } from "../../../src/bus/support/LongHandlers.ts"
import * as Log from "../../../src/observe/Log.ts"
import { type Line, recordedLog } from "../../support/RecordedLog.ts"

const spinNow = (millis: number): void => {
  const end = performance.now() + millis
  while (performance.now() < end);
}
/** Computes and lets nothing else run. */
const spin = (millis: number) => Effect.sync(() => spinNow(millis))

const lagOf = ({ detail }: { readonly detail: string }): number => Number(/at most (\d+) ms/.exec(detail)?.[1])

const data = Schema.Struct({ millis: Schema.Int })
const Computed = Event.make("loop.report.computed", { version: 1, data })
const Waited = Event.make("loop.report.waited", { version: 1, data })
const message = "a handler blocked the event loop"

/**
 * Computes for longer than a second in a handler, among others that wait, until a line of the log is the wanted one. A
 * busy machine may stop the whole process at the same time, which looks like a block, too: then it computes again.
 */
const blockedBy = Effect.fnUntraced(function* (
  handler: (millis: number) => Effect.Effect<unknown>,
  waits: Effect.Effect<unknown>,
  isWanted: (line: Line) => boolean
) {
  const { layer, of } = recordedLog()
  const Reports = Subscriber.layer("loop.reports", {
    events: [Computed],
    handler: (event) => handler(event.data.millis)
  })
  const Waiting = Subscriber.layer("loop.waiting", { events: [Waited], handler: () => waits })
  return yield* Effect.gen(function* () {
    const bus = yield* EventBus
    let line: Line | undefined
    while (line === undefined) {
      const seen = of(message).length
      yield* bus.publish(Waited, { millis: 0 })
      yield* bus.publish(Computed, { millis: 1_600 })
      while (of(message).length === seen) yield* Effect.sleep(20)
      line = of(message).find(isWanted)
    }
    const { checks } = yield* (yield* Health).report
    const detail = checks.find(({ name }) => name === "event loop")?.detail ?? ""
    return { line, detail }
  }).pipe(
    Effect.provide(
      Layer.merge(Reports, Waiting).pipe(
        Layer.provideMerge(EventBus.layerMemory({ drainTimeout: "1 second" })),
        Layer.provideMerge(layer)
      )
    )
  )
})

describe("event loop", () => {
  it.live("C10: its lag is reported", () =>
    Effect.gen(function* () {
      const parts = { context: Context.empty(), log: yield* Log.make, handlers: new LongHandlers() }
      const probe = yield* EventLoop.start(parts)
      yield* Effect.sleep(200)
      yield* spin(1_000)
      yield* Effect.sleep(200)
      const result = yield* probe.check
      assert.isAtLeast(lagOf(result), 800)
      assert.strictEqual(result.status, lagOf(result) >= 5_000 ? "degraded" : "up")
    })
  )

  it.live("C10: a handler that computes at once is named, and no other that runs meanwhile", () =>
    Effect.gen(function* () {
      const isNamed = ({ fields }: Line): boolean => fields["subscriber"] === "loop.reports"
      const { detail, line } = yield* blockedBy(spin, Effect.sleep("3 seconds"), isNamed)
      assert.strictEqual(line.level, "Warn")
      assert.deepStrictEqual([line.fields["event"], line.fields["handlers"]], [Computed.name, undefined])
      assert.isString(line.fields["id"])
      assert.isAtLeast(Number(line.fields["millis"]), 1_000)
      assert.include(detail, `"loop.reports" at "${Computed.name}"`)
    })
  )

  it.live("C10: one that computes after it has waited is among those that are named", () =>
    Effect.gen(function* () {
      const late = (millis: number) =>
        Effect.promise(async () => {
          await new Promise((resolve) => setTimeout(resolve, 50))
          spinNow(millis)
          await new Promise((resolve) => setTimeout(resolve, 3_000))
        })
      yield* blockedBy(late, Effect.void, ({ fields }) => fields["subscriber"] === "loop.reports")
      yield* blockedBy(late, Effect.sleep("3 seconds"), ({ fields }) =>
        ["loop.reports", "loop.waiting"].every((name) => String(fields["handlers"]).includes(name))
      )
    })
  )
})

describe("LongHandlers", () => {
  const running = (began: number, type = "a.b") => ({ event: { type, id: `${type}-${began}` }, began })
  const namesOf = (handlers: LongHandlers, now: number, seconds: number) =>
    handlers.suspects(now, seconds).map(({ id, subscriber }) => `${subscriber} ${id}`)

  it("knows a handler that began last before the block and ended first after it", () => {
    const handlers = new LongHandlers()
    handlers.add("waiting", () => [running(1), running(9.99, "c.d")])
    handlers.end("computing", running(10), 3)
    handlers.end("answered", running(8), 5.1)
    // It began when the block was over.
    handlers.add("later", () => [running(13.05)])
    assert.deepStrictEqual(namesOf(handlers, 13.1, 3), ["computing a.b-10"])
  })

  it("names every handler that ran through the block where it cannot know, once for each event", () => {
    const handlers = new LongHandlers()
    const remove = handlers.add("waiting", () => [running(1), running(2), running(3, "c.d")])
    handlers.add("later", () => [running(13.05)])
    assert.deepStrictEqual(namesOf(handlers, 13.1, 3), ["waiting a.b-2", "waiting c.d-3"])
    remove()
    assert.deepStrictEqual(namesOf(handlers, 13.1, 3), [])
  })

  it("keeps a bounded number of ended handlers", () => {
    const handlers = new LongHandlers()
    for (let n = 0; n < 10_000; n++) handlers.end(`n-${n}`, running(n), 1)
    assert.isAtMost(JSON.stringify(handlers).length, 64 * 100)
    assert.deepStrictEqual(namesOf(handlers, 10_000, 1), ["n-9999 a.b-9999"])
  })
})
