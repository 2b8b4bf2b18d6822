/** What flows with events in code without Effect, on any transport. Run by PromiseBus.test.ts. */
import { assert } from "@effect/vitest"
import { it } from "vitest"
import { Baggage, createEventBus, type EventBus } from "../../../src/index.ts"
import { Counted, Echoed, Guarded, sleep, until } from "./PromiseTools.ts"

export const flowCases = (options: () => EventBus.LiveOptions): void => {
  it("a handler's publishes carry on tenant, actor and baggage, until it stops them", async () => {
    await using bus = await createEventBus(options())
    const seen: Array<unknown> = []
    await bus.subscribe("promise.echoes", {
      events: [Echoed],
      handler: ({ actor, data, tenant }, { baggage }) => {
        seen[data.n] = [tenant, actor?.id, baggage?.text]
      }
    })
    await bus.subscribe("promise.flow", {
      events: [Counted],
      handler: async (event, { baggage }) => {
        await sleep(1)
        await Promise.all([
          bus.publish(Echoed, { n: 0 }),
          bus.publish(Echoed, { n: 1 }, { tenant: undefined, actor: undefined, baggage: undefined }),
          bus.publish(Echoed, { n: 2 }, { baggage: (baggage ?? Baggage.empty).with("step", "2") }),
          bus.within({ tenant: "other" }, async () => {
            await sleep(1)
            await bus.publish(Echoed, { n: 3 })
          }),
          bus.within({ actor: undefined, tenant: undefined, baggage: undefined }, () => bus.publish(Echoed, { n: 4 }))
        ])
        assert.strictEqual(event.tenant, "school-7")
      }
    })
    const actor = { id: "u-1", role: "teacher" }
    await bus.publish(Counted, { id: "a", n: 1 }, { tenant: "school-7", actor, baggage: { cohort: "2026" } })
    await until(() => Object.keys(seen).length === 5)
    assert.deepStrictEqual(seen, [
      ["school-7", "u-1", "cohort=2026"],
      [undefined, undefined, undefined],
      ["school-7", "u-1", "cohort=2026,step=2"],
      ["other", "u-1", "cohort=2026"],
      [undefined, undefined, undefined]
    ])
  })

  it("`within` gives what a request publishes its tenant, actor and baggage, and nothing to others", async () => {
    await using bus = await createEventBus(options())
    const seen: Array<unknown> = []
    await bus.subscribe("promise.echoes", {
      events: [Echoed],
      handler: ({ actor, data, tenant }, { baggage }) => {
        seen[data.n] = [tenant, actor?.id, baggage?.get("channel")]
      }
    })
    const request = (n: number) =>
      bus.within({ tenant: `t-${n}`, baggage: { channel: `c-${n}` } }, async () => {
        await sleep(1)
        return bus.within({ actor: { id: `u-${n}`, role: "teacher" } }, async () => {
          await bus.publish(Guarded, {})
          await bus.publishAll(Echoed, [{ n }])
        })
      })
    await Promise.all([request(0), request(1), bus.publish(Echoed, { n: 2 })])
    assert.strictEqual(await bus.within({}, () => 7), 7)
    // Of a caller without types.
    const refused = await bus.within({ baggage: 7 as never }, () => 7).catch(String)
    assert.match(String(refused), /baggage.*Give Baggage, or an object whose values are texts/s)
    await until(() => Object.keys(seen).length === 3)
    assert.deepStrictEqual(seen, [
      ["t-0", "u-0", "c-0"],
      ["t-1", "u-1", "c-1"],
      [undefined, undefined, undefined]
    ])
  })
}
