/** What a service logs when RabbitMQ and Redis are not there, and when they are back. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Event, EventBus } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { startProxy } from "../support/Proxy.ts"
import { recordedLog } from "../support/RecordedLog.ts"

const Happened = Event.make("lines.thing.happened", { version: 1, data: Schema.Struct({}) })

describeLive(
  "lines about connections",
  () => {
    it.live("one when connecting takes a second, one when it is connected again, one when Redis is missing", () => {
      const { layer, of } = recordedLog()
      const seen = (message: string) =>
        Effect.gen(function* () {
          while (of(message).length === 0) yield* Effect.sleep(20)
        })
      const once = (message: string, level: string): void =>
        assert.deepStrictEqual(
          of(message).map((line) => line.level),
          [level],
          message
        )
      return Effect.gen(function* () {
        const url = new URL(rabbitUrl())
        const proxy = yield* Effect.acquireRelease(
          Effect.promise(() => startProxy(Number(url.port))),
          (proxy) => Effect.promise(() => proxy.close())
        )
        url.port = String(proxy.port)
        proxy.stall("both")
        const bus = yield* Layer.build(
          EventBus.layerAmqp({
            url: url.href,
            redisUrl: `redis://127.0.0.1:${yield* Effect.promise(freePort)}`,
            namespace: freshNamespace(),
            source: "lines",
            waitForBroker: true,
            connectTimeout: "1 minute"
          }).pipe(Layer.provide(layer))
        )
        yield* seen("not connected to RabbitMQ yet")
        yield* seen("not connected to Redis yet")
        assert.include(String(of("not connected to RabbitMQ yet")[0]?.fields["detail"]), "accepted the connection")
        assert.include(String(of("not connected to Redis yet")[0]?.fields["detail"]), "ECONNREFUSED")
        assert.include(String(of("not connected to Redis yet")[0]?.fields["remedy"]), "publishes and handling go on")
        proxy.resume()
        proxy.reset()
        yield* seen("connected to RabbitMQ")
        once("not connected to RabbitMQ yet", "Warn")
        once("connected to RabbitMQ", "Info")
        const { publish, subscribe } = yield* Effect.provide(EventBus, bus)
        yield* subscribe("lines.subscriber", { events: [Happened], handler: () => Effect.void })
        yield* publish(Happened, {})
        yield* Effect.promise(() => proxy.refuse(true))
        proxy.reset()
        yield* seen("the connection to RabbitMQ is lost")
        yield* Effect.promise(() => proxy.refuse(false))
        yield* seen("connected to RabbitMQ again")
        once("the connection to RabbitMQ is lost", "Warn")
        once("connected to RabbitMQ again", "Info")
        once("not connected to Redis yet", "Warn")
      }).pipe(Effect.scoped)
    })
  },
  ["rabbit"]
)
