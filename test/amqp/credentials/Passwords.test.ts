/** A password that RabbitMQ does not take for a while: what ran is not given up, and goes on with the right one. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema, SubscriptionRef } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import * as Event from "../../../src/event/Event.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { awaitStartup, ownRabbit } from "../../support/OwnRabbit.ts"
import { until } from "../setup/Until.ts"

const Thing = Event.make("thing.happened", { version: 1, cache: false, data: Schema.Struct({ n: Schema.Finite }) })

describeLive(
  "passwords",
  () => {
    const node = ownRabbit({}, awaitStartup)

    for (const given of ["in the url", "by the option credentials"])
      it.live(
        `P11: one given ${given} is wrong for a while: no restart is counted, and everything goes on after it`,
        () =>
          Effect.gen(function* () {
            const user = freshNamespace()
            const url = yield* Effect.promise(() => node().addUser(user, "right"))
            const { bus, subscribe } = yield* start(
              processOver(
                Layer.merge(
                  AmqpBroker.layer({
                    namespace: user,
                    source: "passwords",
                    connectTimeout: "2 minutes",
                    callTimeout: "200 millis",
                    ...(given === "in the url"
                      ? { servers: url }
                      : {
                          servers: `amqp://127.0.0.1:${node().port}`,
                          credentials: Effect.succeed({ username: user, password: Redacted.make("right") })
                        })
                  }),
                  MemoryCache.layer
                ),
                { publishTimeout: "5 minutes" }
              )
            )
            const handled: Array<number> = []
            const subscription = yield* subscribe(fresh(), {
              events: [Thing],
              restarts: { max: 1 },
              handler: ({ data }) => Effect.sync(() => void handled.push(data.n))
            })
            yield* bus.publish(Thing, { n: 1 })
            yield* until(
              () => "the first is not handled",
              () => handled.length === 1
            )
            yield* Effect.promise(() => node().ctl("change_password", user, "wrong"))
            yield* Effect.promise(() => node().ctl("close_all_user_connections", user, "drill"))
            const status = () => SubscriptionRef.getUnsafe(subscription.status)
            // Its limit is one.
            yield* until(
              () => JSON.stringify(status()),
              () => status()._tag === "Failed" || (status().restarts >= 3 && /refused user/.test(status().cause ?? ""))
            )
            assert.strictEqual(status()._tag, "Restarting")
            yield* Effect.promise(() => node().ctl("change_password", user, "right"))
            yield* bus.publish(Thing, { n: 2 })
            yield* until(
              () => `${handled}`,
              () => handled.includes(2)
            )
          })
      )
  },
  ["rabbitNode"]
)
