/** What consumers bring is handed over, whatever one delivery does to whoever takes it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Inbox from "../../src/bus/Inbox.ts"
import * as Stage from "./Stage.ts"

describe("inbox", () => {
  it.effect(
    "C7, P9: a delivery that cannot be taken is told, and stops no other; its consumer's callback only enqueues",
    () =>
      Effect.gen(function* () {
        const taken: Array<number> = []
        const told: Array<string> = []
        const silent = () => {}
        const inbox = yield* Inbox.make(
          "s",
          ({ deliveryCount }) => {
            if (deliveryCount === 1) throw new Error("cannot be taken")
            taken.push(deliveryCount)
          },
          {
            debugEnabled: false,
            debug: silent,
            info: silent,
            warning: silent,
            error: (message) => void told.push(message)
          }
        )
        const origin = { isolated: false, parked: false, arrived: silent, settled: silent }
        for (const deliveryCount of [0, 1, 2]) {
          const delivery = {
            body: Buffer.alloc(0),
            properties: {
              messageId: undefined,
              type: undefined,
              timestamp: undefined,
              appId: undefined,
              correlationId: undefined,
              contentType: undefined
            },
            headers: {},
            trusted: false,
            redelivered: true,
            deliveryCount,
            routingKey: "a.b",
            ack: silent,
            lost: () => false
          }
          inbox.offer(delivery, origin)
          assert.deepStrictEqual(taken.length, 0, "taken within the callback")
        }
        yield* Stage.turns
        assert.deepStrictEqual(taken, [0, 2])
        assert.deepStrictEqual(told, ["a delivery was not accepted"])
      })
  )
})
