/** Publishing to other systems with Promises, on any transport. Run by PromiseBus.test.ts. */
import { assert } from "@effect/vitest"
import { expectTypeOf, it } from "vitest"
import { z } from "zod"
import {
  createEventBus,
  Event,
  type EventBus,
  Foreign,
  isPublishError,
  type PromiseEventBus,
  type PublishError
} from "../../../src/index.ts"
import { freshNamespace } from "../../support/live.ts"
import { Counted, until } from "./PromiseTools.ts"

/** Its validator takes its time, and makes another type of what is published. */
const Priced = Event.make("promise.thing.priced", {
  version: 1,
  data: z.object({
    price: z
      .string()
      .refine(async (price) => price !== "")
      .transform(Number)
  }),
  key: ({ price }) => price.toFixed()
})

const faultOf = async (call: Promise<unknown>): Promise<PublishError> => {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error
  )
  if (!isPublishError(error)) throw new Error(`expected a PublishError, not ${error}`)
  return error
}

export const foreignCases = (options: () => EventBus.LiveOptions, declare: (queue: string) => Promise<void>): void => {
  const open = async () => {
    const queue = `theirs.${freshNamespace()}`
    await declare(queue)
    return { bus: await createEventBus(options()), queue }
  }

  it("P1: publishes to another system in its form, with what flows within a handler", async () => {
    const { bus: opened, queue } = await open()
    await using bus = opened
    const seen: Array<unknown> = []
    await bus.subscribe("promise.theirs", {
      events: Foreign.queue(queue, {
        codec: Foreign.nest({ id: ({ messageId }, data) => `${messageId} ${JSON.stringify(data)}` }),
        types: { counted: Counted }
      }),
      handler: ({ correlationId, data, id }) => void seen.push([id, data.n, correlationId])
    })
    const to = { type: "counted", codec: Foreign.nest() }
    await bus.subscribe("promise.ours", {
      events: [Counted],
      handler: async ({ data }) => {
        await bus.publishForeign({ queue }, Counted, { ...data, n: data.n + 1 }, { ...to, id: "2" })
      }
    })
    const first = await bus.publishForeign({ queue }, Counted, { id: "a", n: 1 }, { ...to, id: "1" })
    assert.deepStrictEqual(first, { id: "1", routed: true })
    await bus.publish(Counted, { id: "b", n: 1 }, { correlationId: "c-1" })
    await until(() => seen.length === 2)
    assert.deepStrictEqual(seen, [
      ['1 {"id":"a","n":1}', 1, undefined],
      ['2 {"id":"b","n":2}', 2, "c-1"]
    ])
  })

  it("takes the input of a Standard Schema, and waits for its validator", async () => {
    const { bus: opened, queue } = await open()
    await using bus = opened
    const seen: Array<number> = []
    await bus.subscribe("promise.priced", {
      events: Foreign.queue(queue, { types: { "*": Priced } }),
      handler: ({ data }) => void seen.push(data.price)
    })
    await bus.publishForeign({ queue }, Priced, { price: "5" })
    await until(() => seen.length === 1)
    assert.deepStrictEqual(seen, [5])
    assert.include((await faultOf(bus.publishForeign({ queue }, Priced, { price: "" }))).message, "data.price")
  })

  it("rejects with what is wrong, by its name, and with the reason of a signal", async () => {
    const { bus: opened, queue } = await open()
    await using bus = opened
    const data = { id: "a", n: 1 }
    // Callers without types.
    const wrong: ReadonlyArray<readonly [() => Promise<unknown>, string]> = [
      [() => bus.publishForeign({} as Foreign.Target, Counted, data), "{ queue }"],
      [() => bus.publishForeign({ queue }, undefined as unknown as typeof Counted, data), "Event.make"],
      [() => bus.publishForeign({ queue }, Counted, data, { typ: "a" } as object), "typ"],
      [() => bus.publishForeign({ queue }, Counted, data, { signal: "soon" } as object), "AbortSignal"],
      [() => bus.publishForeign({ queue }, Counted, { id: "a", n: Number.NaN }), "data.n"],
      [() => bus.publishForeign({ queue: `${queue}.nowhere` }, Counted, data), "Unroutable"]
    ]
    for (const [call, word] of wrong) assert.include((await faultOf(call())).message, word)
    const reason = new Error("enough")
    const error = await bus
      .publishForeign({ queue }, Counted, data, { signal: AbortSignal.abort(reason) })
      .catch((error: unknown) => error)
    assert.strictEqual(error, reason)
  })
}

/** `npm run types` checks this. */
export const types = (bus: PromiseEventBus) => {
  const to = { exchange: "shop", routingKey: "order.paid" }
  expectTypeOf(bus.publishForeign(to, Counted, { id: "a", n: 1 })).resolves.toHaveProperty("routed")
  // @ts-expect-error the data is not that of the contract
  void bus.publishForeign(to, Counted, { id: "a" })
  // @ts-expect-error what is published is the input of the schema, and not its output
  void bus.publishForeign(to, Priced, { price: 5 })
  // @ts-expect-error nothing of theirs is declared, so a delay has nowhere to wait
  void bus.publishForeign(to, Counted, { id: "a", n: 1 }, { delay: "1 minute" })
}
