/** A service whose credentials are tokens that end, on a RabbitMQ that takes no passwords. */
import { assert, it } from "@effect/vitest"
import { Data, Effect, Layer, Redacted, Schema } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import type { FreshCredentials } from "../../../src/amqp/Servers.ts"
import * as Event from "../../../src/event/Event.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { makeOAuth } from "../../support/OAuth.ts"
import { ownRabbit } from "../../support/OwnRabbit.ts"
import { assertSecretless } from "../setup/OpenBroker.ts"
import { until, untilEffect } from "../setup/Until.ts"

const Thing = Event.make("thing.happened", { version: 1, cache: false, data: Schema.Struct({ n: Schema.Finite }) })
/** RabbitMQ before 4.3 goes on for as long as a channel remembers its rights: a tick. */
const tick = { channel_tick_interval: 500 }
const lifeSeconds = 3

class Away extends Data.TaggedError("Away")<{ readonly detail: string }> {}

describeLive(
  "tokens",
  () => {
    const oauth = makeOAuth()
    const node = ownRabbit({ ...oauth.node, settings: tick })

    /** A bus that logs in with what `give` returns; fails while it returns nothing. */
    const stage = Effect.fnUntraced(function* (give: () => string | undefined) {
      let asked = 0
      const credentials = Effect.suspend((): Effect.Effect<FreshCredentials, Away> => {
        asked++
        const token = give()
        return token === undefined
          ? Effect.fail(new Away({ detail: "the identity provider is away" }))
          : Effect.succeed({ username: "svc", password: Redacted.make(token) })
      })
      const { bus, broker, subscribe } = yield* start(
        processOver(
          Layer.merge(
            AmqpBroker.layer({
              servers: `amqp://127.0.0.1:${node().port}`,
              namespace: freshNamespace(),
              source: "tokens",
              credentials
            }),
            MemoryCache.layer
          ),
          { publishTimeout: "2 minutes" }
        )
      )
      const connections = Effect.forEach(broker.probes.slice(0, 2), ({ check }) => check)
      return { bus, subscribe, connections, asked: () => asked }
    })

    it.live("P1, P11: over many tokens every publish succeeds, no handler begins twice and no connection ends", () =>
      Effect.gen(function* () {
        const { asked, bus, connections, subscribe } = yield* stage(() => oauth.token({ seconds: lifeSeconds }))
        const begun: Array<number> = []
        let done = 0
        yield* subscribe(fresh(), {
          events: [Thing],
          handler: ({ data }) =>
            Effect.sync(() => void begun.push(data.n)).pipe(
              Effect.andThen(Effect.sleep("2500 millis")),
              Effect.andThen(Effect.sync(() => void done++))
            )
        })
        const before = asked()
        const states = new Set<string>()
        let n = 0
        // Each connection asks for its own tokens: five lives of both.
        while (asked() < before + 10) {
          yield* bus.publish(Thing, { n: n++ })
          for (const { detail, status } of yield* connections) states.add(`${status} ${detail}`)
          yield* Effect.sleep(250)
        }
        yield* until(
          () => `${done} of ${n} handled`,
          () => done === n
        )
        assert.deepStrictEqual(
          begun.toSorted((a, b) => a - b),
          Array.from({ length: n }, (_, i) => i)
        )
        assert.deepStrictEqual([...states], [`up connected to 127.0.0.1:${node().port}, epoch 1`])
      })
    )

    it.live("P11, P14: while no token can be had health says so; what waits is sent with the next one", () =>
      Effect.gen(function* () {
        let isAway = false
        const { asked, bus, connections, subscribe } = yield* stage(() =>
          isAway ? undefined : oauth.token({ seconds: lifeSeconds })
        )
        const handled: Array<number> = []
        const { status } = yield* subscribe(fresh(), {
          events: [Thing],
          handler: ({ data }) => Effect.sync(() => void handled.push(data.n))
        })
        isAway = true
        const before = asked()
        let reported: ReadonlyArray<string> = []
        yield* untilEffect(
          () => reported.join(),
          Effect.map(connections, (checks) => {
            reported = checks.map(({ detail, status }) => `${status} ${detail}`)
            return checks.every(({ detail, status }) => status !== "up" && /credentials failed with Away/.test(detail))
          })
        )
        assertSecretless(reported, "identity provider is away")
        // The tokens that it has end meanwhile.
        yield* until(
          () => `${asked() - before} times asked`,
          () => asked() >= before + 6
        )
        isAway = false
        yield* Effect.retry(bus.publish(Thing, { n: 1 }), { while: ({ reason }) => reason._tag === "Denied" })
        yield* until(
          () => `${status} ${handled.length}`,
          () => handled.length > 0
        )
        assert.deepStrictEqual(handled, [1])
      })
    )

    it.live("P14: what a token does not allow is one error with its claims, and allowed with the next token", () =>
      Effect.gen(function* () {
        const tokens: Array<string> = []
        let scope: string | undefined
        const { bus } = yield* stage(() => {
          const token = oauth.token({ seconds: lifeSeconds, ...(scope !== undefined && { scope }) })
          tokens.push(token)
          return token
        })
        yield* bus.publish(Thing, { n: 1 })
        scope = "rabbitmq.configure:*/* rabbitmq.read:*/* rabbitmq.write:*/*"
        const denied = yield* Effect.flip(
          Effect.repeat(Effect.andThen(Effect.sleep(50), bus.publish(Thing, { n: 2 })), { while: () => true })
        )
        assert.strictEqual(denied.reason._tag, "Denied")
        assert.match(
          denied.message,
          /user "svc" has no permission for topic thing\.happened in exchange .* with its token \(sub "svc", aud "rabbitmq", scope "rabbitmq\.configure.*", until .*Z\): .*three parts/
        )
        for (const token of tokens) assertSecretless(denied, token)
        scope = undefined
        yield* Effect.retry(bus.publish(Thing, { n: 3 }), { while: ({ reason }) => reason._tag === "Denied" })
      })
    )
  },
  ["rabbitNode"]
)
