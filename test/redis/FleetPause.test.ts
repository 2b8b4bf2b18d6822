/** An operator's pause on a real RabbitMQ and Redis: through restarts, and with the order of keys. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, References, Scope, SubscriptionRef } from "effect"
import { EventBus } from "../../src/app/EventBus.ts"
import { makeLedger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { keyed, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import * as RedisClient from "../../src/redis/connection/RedisClient.ts"
import * as RedisFleet from "../../src/redis/fleet/RedisFleet.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"
import { until } from "./support.ts"

describeLive("a subscriber that an operator pauses", () => {
  for (const ordering of ["none", "key"] as const) {
    it.live(`P3, P6: loses nothing and keeps the order of keys, whatever restarts; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const Changed = keyed()
        const ledger = makeLedger()
        const begin = Effect.gen(function* () {
          const scope = yield* Scope.fork(yield* Effect.scope)
          const live = EventBus.layerAmqp({
            url: rabbitUrl(),
            redisUrl: redisUrl(),
            redisTimeout: "10 seconds",
            namespace
          })
          const context = yield* Layer.buildWithScope(
            Layer.provide(Layer.fresh(live), Layer.succeed(References.MinimumLogLevel, "None" as const)),
            scope
          )
          const bus = Context.get(context, EventBus)
          const subscription = yield* bus
            .subscribe("mailer", { events: [Changed], ordering, handler: ledger.handler })
            .pipe(Scope.provide(scope))
          const status = () => SubscriptionRef.getUnsafe(subscription.status)
          return { bus, subscription, status, stop: Scope.close(scope, Exit.void) }
        })
        const fleet = RedisFleet.make(
          yield* RedisClient.make({
            url: Redacted.make(redisUrl()),
            prefix: namespace,
            commandTimeout: "10 seconds"
          })
        )
        const publish = (service: { readonly bus: EventBus["Service"] }, from: number) =>
          service.bus.publishAll(
            Changed,
            upTo(50).map((n) => ({ n: from + n, k: `k${n % 5}` }))
          )
        const first = yield* begin
        yield* fleet.pause("mailer", { by: "alice", since: new Date(0), reason: "" })
        yield* until(
          "it is paused",
          Effect.sync(() => first.status()._tag === "Paused")
        )
        yield* publish(first, 0)
        const second = yield* begin
        assert.strictEqual(second.status()._tag, "Paused")
        yield* first.stop
        yield* publish(second, 50)
        yield* second.stop
        const third = yield* begin
        // What it holds is there, and nothing of it has run.
        yield* until(
          "it holds events",
          Effect.map(third.subscription.stats, ({ held }) => held > 0)
        )
        assert.deepInclude(third.status(), { _tag: "Paused" })
        assert.include(third.status().cause, "alice")
        assert.lengthOf(ledger.entries, 0)
        yield* fleet.resume("mailer")
        yield* ledger.reaches(100)
        assert.deepStrictEqual(ledger.sorted(), upTo(100))
        if (ordering === "key")
          for (const key of upTo(5)) {
            const numbers = ledger.entries.flatMap(({ event }) => (event.data.n % 5 === key ? [event.data.n] : []))
            assert.deepStrictEqual(
              numbers,
              numbers.toSorted((one, other) => one - other),
              `k${key}`
            )
          }
        assert.strictEqual(third.status()._tag, "Running")
        assert.strictEqual((yield* third.subscription.stats).returns, 0)
      })
    )
  }
})
