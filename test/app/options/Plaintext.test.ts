/**
 * Every way to a live bus refuses an address whose password and events would leave this host in the clear, unless that
 * is allowed (P14). `0.0.0.0` is no loopback address, and ends at once where nothing listens.
 */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { createEventBus, EventBus, EventBusLive, RedisStores } from "../../../src/index.ts"
import { freePort } from "../../support/Port.ts"

interface Given {
  readonly url: string
  readonly redisUrl: string
  readonly allowPlaintext?: boolean
}

const build = <A, E>(layer: Layer.Layer<A, E>): Effect.Effect<void, E> =>
  Effect.scoped(Effect.asVoid(Layer.build(layer)))

const environment = ({ allowPlaintext = false, redisUrl, url }: Given) =>
  ConfigProvider.layer(
    ConfigProvider.fromEnv({
      env: {
        EVENTBUS_URL: url,
        EVENTBUS_REDIS_URL: redisUrl,
        EVENTBUS_ALLOW_PLAINTEXT: String(allowPlaintext)
      }
    })
  )

const buses: Readonly<Record<string, (given: Given) => Effect.Effect<void, unknown>>> = {
  "EventBus.layerAmqp": (given) => build(EventBus.layerAmqp(given)),
  EventBusLive: (given) => Effect.provide(build(EventBusLive), environment(given)),
  createEventBus: (given) =>
    Effect.flatMap(
      Effect.promise(async () => {
        try {
          await (await createEventBus({ source: "plain", ...given })).close()
          return undefined
        } catch (error) {
          return messageOf(error)
        }
      }),
      (refused) => (refused === undefined ? Effect.void : Effect.fail(refused))
    )
}

const stores: typeof buses = {
  "RedisStores.layer": ({ allowPlaintext = false, redisUrl }) =>
    build(RedisStores.layer({ url: redisUrl, allowPlaintext })),
  "RedisStores.layerConfig": (given) => Effect.provide(build(RedisStores.layerConfig), environment(given))
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

describe("Plaintext", () => {
  for (const [name, start] of Object.entries({ ...buses, ...stores }))
    it.live(`P14: ${name} refuses redis:// to another host`, () =>
      Effect.gen(function* () {
        const redisUrl = `redis://:hunter2@0.0.0.0:${yield* Effect.promise(freePort)}`
        const message = messageOf(yield* Effect.flip(start({ url: "memory://", redisUrl })))
        assert.include(message, "would send the password and the events in the clear")
        assert.include(message, "allowPlaintext (EVENTBUS_ALLOW_PLAINTEXT=true)")
        assert.notInclude(message, "hunter2")
        yield* start({ url: "memory://", redisUrl, allowPlaintext: true })
      })
    )

  for (const [name, start] of Object.entries(buses))
    it.live(`P14: ${name} refuses amqp:// to another host`, () =>
      Effect.gen(function* () {
        const given = { url: "amqp://user:hunter2@0.0.0.0", redisUrl: "redis://localhost" }
        const message = messageOf(yield* Effect.flip(start(given)))
        assert.include(message, "would send the password and the events in the clear")
        assert.notInclude(message, "hunter2")
      })
    )
})
