/** What Promise handlers carry on to what they publish, on any transport. Run by PromiseBus.test.ts. */
import { assert } from "@effect/vitest"
import { Effect, Tracer } from "effect"
import { it } from "vitest"
import { createEventBus, EventBus } from "../../../src/index.ts"
import { Counted, Echoed, Guarded, numbers, sleep, until } from "./PromiseTools.ts"

export const contextCases = (options: () => EventBus.LiveOptions): void => {
  const open = () => createEventBus(options())

  it("causation, correlation and trace follow a handler through awaits, timers, Promise.all and helper functions", async () => {
    await using bus = await open()
    const traceId = "0af7651916cd43dd8448eb211c80319c"
    const origin = Tracer.externalSpan({ traceId, spanId: "b7ad6b7169203331" })
    let id = ""
    const echo = async (n: number) => bus.publish(Echoed, { n })
    const nested = async (n: number): Promise<void> => {
      await sleep(1)
      await Promise.resolve().then(() => echo(n))
    }
    const seen: Array<readonly [n: number, causationId: string | undefined, correlationId: string | undefined]> = []
    const traces = new Set<string>()
    await bus.subscribe("promise.echoes", {
      events: [Echoed],
      handler: ({ causationId, correlationId, data }) => {
        seen.push([data.n, causationId, correlationId])
        // The trace of the handler is that of its event.
        return Effect.map(Effect.currentParentSpan, (span) => void traces.add(span.traceId))
      }
    })
    await bus.subscribe("promise.chain", {
      events: [Counted],
      handler: async ({ data }) => {
        await Promise.resolve()
        await echo(1)
        await new Promise<void>((resolve, reject) => {
          setTimeout(() => void echo(2).then(() => resolve(), reject), 1)
        })
        await Promise.all([echo(3), nested(4), (async () => setImmediate(() => {}))()])
        queueMicrotask(() => void echo(5))
        process.nextTick(() => void echo(6))
        await nested(data.n)
      }
    })
    await bus.subscribe("promise.origin", {
      events: [Guarded],
      handler: () =>
        Effect.gen(function* () {
          const { publish } = yield* EventBus
          const published = yield* publish(Counted, { id: "a", n: 7 }, { correlationId: "order-1" })
          id = published.id
        }).pipe(Effect.withParentSpan(origin))
    })
    await bus.publish(Guarded, {}, { actor: { id: "u-1", role: "teacher" } })
    await until(() => seen.length === 7)
    assert.deepStrictEqual(
      seen.toSorted(([a], [b]) => a - b),
      numbers(1, 7).map((n) => [n, id, "order-1"] as const)
    )
    assert.deepStrictEqual([...traces], [traceId])
  })
}
