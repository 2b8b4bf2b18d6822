/** Deliveries reach the runner although accepting one of them throws. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Inbox from "../../../src/bus/supervise/Inbox.ts"
import * as Stage from "../Stage.ts"

describe("inbox", () => {
  it.effect(
    "C7, P9: a delivery that cannot be accepted is logged and stops no other; the consumer's callback only enqueues",
    () =>
      Effect.gen(function* () {
        const accepted: Array<number> = []
        const logged: Array<string> = []
        const silent = () => {}
        const inbox = yield* Inbox.make({
          subscriber: "s",
          runner: {
            accept: ({ deliveryCount }) => {
              if (deliveryCount === 1) throw new Error("cannot be accepted")
              accepted.push(deliveryCount)
            }
          },
          parkedQueue: undefined,
          log: {
            debugEnabled: false,
            debug: silent,
            info: silent,
            warning: silent,
            error: (message) => void logged.push(message)
          }
        })
        const origin = { isolated: false, parked: false, flush: () => true, arrived: silent, settled: silent }
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
            delayed: false,
            redelivered: true,
            deliveryCount,
            routingKey: "a.b",
            ack: silent,
            lost: () => false
          }
          inbox.offer(delivery, origin)
          assert.deepStrictEqual(accepted.length, 0, "accepted within the callback")
        }
        yield* Stage.turns
        assert.deepStrictEqual(accepted, [0, 2])
        assert.deepStrictEqual(logged, ["a delivery was not accepted"])
      })
  )
})
