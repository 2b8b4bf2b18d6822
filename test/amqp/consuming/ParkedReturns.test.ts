/**
 * Parked events on a node whose operator has set a policy with a delivery limit: RabbitMQ takes the smaller of a
 * policy's limit and a queue's own, and a parked queue has no dead letters.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import type { SubscriberStats } from "../../../src/bus/subscriber/Subscription.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { awaitStartup, ownRabbit } from "../../support/OwnRabbit.ts"
import { untilEffect } from "../setup/Until.ts"

const total = 60
const keys = 6
/** More than any of the limits allow. */
const lives = 6
const name = "a"

describeLive(
  "parked events under a policy",
  () => {
    const node = ownRabbit({}, awaitStartup)
    const process = (namespace: string) =>
      start(
        processOver(
          Layer.merge(AmqpBroker.layer({ servers: node().url, namespace, source: "test" }), MemoryCache.layer)
        )
      )

    for (const { ends, limit } of [
      { limit: 3, ends: "stop" },
      { limit: 3, ends: "cut" },
      { limit: 1, ends: "stop" }
    ] as const)
      it.live(`P3, P6: ${lives} lives that end by ${ends} lose none of them, with a delivery limit of ${limit}`, () =>
        Effect.gen(function* () {
          const namespace = freshNamespace()
          const definition = JSON.stringify({ "delivery-limit": limit })
          yield* Effect.promise(() =>
            node().ctl("set_policy", namespace, `^${namespace}\\.parked\\.`, definition, "--apply-to", "queues")
          )
          const Changed = keyed(`${namespace}.changed`)
          const handled: Array<{ readonly n: number; readonly k: string }> = []
          let isShut = true
          const options = {
            events: [Changed],
            ordering: "key",
            onBlocked: "park",
            retry: Schedule.spaced("20 minutes"),
            handler: ({ data }: { readonly data: { readonly n: number; readonly k: string } }) =>
              Effect.suspend(() => {
                if (isShut) return Effect.fail("not now")
                handled.push(data)
                return Effect.void
              })
          } as const
          const publisher = yield* process(namespace)
          const { broker } = publisher
          // A connection that is cut may leave an event in both queues, or its copy unsent. It also counts these.
          const stored = Effect.all([broker.depth(name, "parked"), broker.depth(name)]).pipe(
            Effect.map(([parked, own]) => parked.consumers + own.consumers === 0 && parked.ready + own.ready >= total),
            Effect.orElseSucceed(() => false)
          )
          // What is loaded is in its lanes: before that it may not be stored anew yet, and would come back once more.
          const isLoaded = ({ lanes, parked }: SubscriberStats) => parked === total && lanes === keys
          for (let life = 0; life < lives; life++) {
            const one = yield* process(namespace)
            const subscription = yield* one.subscribe(name, options)
            if (life === 0)
              yield* publisher.bus.publishAll(
                Changed,
                upTo(total).map((n) => ({ n, k: `k${n % keys}` }))
              )
            yield* untilEffect(() => `life ${life}: all are parked`, Effect.map(subscription.stats, isLoaded))
            if (ends === "cut") {
              yield* Effect.promise(() => node().ctl("close_all_connections", "test"))
              yield* untilEffect(() => `life ${life}: all are loaded again`, Effect.map(subscription.stats, isLoaded))
            }
            yield* one.stop
            yield* untilEffect(() => `life ${life}: all went back`, stored)
          }
          isShut = false
          const last = yield* process(namespace)
          const subscription = yield* last.subscribe(name, options)
          yield* untilEffect(
            () => "all are loaded",
            Effect.map(subscription.stats, (stats) => stats.parked === total)
          )
          yield* subscription.release()
          yield* untilEffect(
            () => `${handled.length} handled`,
            Effect.sync(() => handled.length === total)
          )
          for (const k of upTo(keys))
            assert.deepStrictEqual(
              handled.filter((event) => event.k === `k${k}`).map(({ n }) => n),
              upTo(total).filter((n) => n % keys === k)
            )
          assert.strictEqual(yield* last.letters.count(name), 0)
        })
      )
  },
  ["rabbitNode"]
)
