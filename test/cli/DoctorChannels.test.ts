/** A healthy system is looked at in a few round trips: what is asked one after the other is asked on one channel. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll, beforeAll } from "vitest"
import { EventBus } from "../../src/index.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { Posted } from "./contracts.ts"
import { doctor } from "./Eventbus.ts"

describeLive(
  "doctor on a healthy RabbitMQ",
  () => {
    let node: RabbitNode
    beforeAll(async () => {
      node = await startRabbit()
    })
    afterAll(() => node?.stop())

    /** Channels that were opened since the node started. */
    const channels = Effect.promise(async () =>
      Number(await node.eval("element(4, hd(ets:lookup(connection_churn_metrics, node())))."))
    )

    it.live("opens one channel for all questions that succeed, and one for each that cannot", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* Effect.gen(function* () {
          const bus = yield* EventBus
          yield* bus.subscribe("mailer", { events: [Posted], handler: () => Effect.void })
        }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: node.url, namespace })))
        const before = yield* channels
        const { code, findings } = yield* doctor(
          { EVENTBUS_URL: node.url, EVENTBUS_NAMESPACE: namespace },
          "--subscriber",
          "mailer"
        )
        assert.deepStrictEqual([code, findings], [0, []])
        // Of the levels of the ladder all but the first are missing.
        assert.isAtMost((yield* channels) - before, 20 + 19)
      })
    )
  },
  ["rabbitNode"]
)
