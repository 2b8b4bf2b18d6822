/** What a user of RabbitMQ needs to look at live events and dead letters: these rights, and no others. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { afterAll, beforeAll } from "vitest"
import { EventBus, Reject } from "../../src/index.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { Posted } from "./contracts.ts"
import { eventbus, reported } from "./Eventbus.ts"

describeLive(
  "eventbus tail, with the least rights",
  () => {
    let node: RabbitNode
    beforeAll(async () => {
      node = await startRabbit()
    })
    afterAll(() => node?.stop())

    it.live("names all rights that are missing, and works with the command that it says", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* Effect.gen(function* () {
          const bus = yield* EventBus
          yield* bus.subscribe("mailer", {
            events: [Posted],
            handler: () => Effect.fail(new Reject({ reason: "no" }))
          })
          const url = yield* Effect.promise(() =>
            node.addUser("looker", "pw", { configure: "^$", write: "^$", read: "^$" })
          )
          const settings = { EVENTBUS_URL: url, EVENTBUS_NAMESPACE: namespace }
          const { code, report } = yield* reported(settings, "tail")
          assert.strictEqual(code, 1)
          assert.strictEqual(report["error"], "RightsMissing")
          const message = String(report["message"])
          for (const right of [
            `configure queue ${namespace}.tmp.*`,
            `write queue ${namespace}.tmp.*`,
            `read queue ${namespace}.tmp.*`
          ])
            assert.include(message, right)
          const [, ...words] = (/rabbitmqctl (.*)$/.exec(message)?.[1] ?? "").match(/'[^']*'|\S+/g) ?? []
          const args = words.map((word) => word.replaceAll("'", ""))
          yield* Effect.promise(() => node.ctl("set_permissions", ...args))
          for (const [command, shown] of [
            [["tail"], 2],
            [["dead-letters", "watch", "mailer"], 2]
          ] as const) {
            const begun = yield* Deferred.make<void>()
            const fiber = yield* Effect.forkScoped(
              eventbus(settings, ...command, "--limit", "1", {
                onLine: () => Deferred.doneUnsafe(begun, Effect.void)
              })
            )
            yield* Effect.race(Deferred.await(begun), Fiber.await(fiber))
            yield* bus.publish(Posted, { text: "seen" })
            const { code, err, out } = yield* Fiber.join(fiber)
            assert.deepStrictEqual([code, err.split("\n").length], [0, shown], err)
            assert.include(out, "test.posted")
          }
        }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: node.url, namespace })))
      })
    )
  },
  ["rabbitNode"]
)
