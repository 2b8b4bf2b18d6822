/** A service whose credentials are tokens that end, on a RabbitMQ that takes no passwords. */
import { assert, it } from "@effect/vitest"
import { Data, Effect, Layer, Metric, Redacted, Schema, SubscriptionRef } from "effect"
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
const seconds = Number(process.env["EVENTBUS_TEST_TOKEN_SECONDS"] ?? 3)
/** How long the long tests take at least: they are soaks then. */
const soakMillis = Number(process.env["EVENTBUS_TEST_TOKEN_SOAK"] ?? 0) * 1000

/** Handlers that hold an event over the end of a token. */
const makeLedger = () => {
  const begun: Array<number> = []
  let done = 0
  const handler = ({ data }: { readonly data: { readonly n: number } }) =>
    Effect.sync(() => void begun.push(data.n)).pipe(
      Effect.andThen(Effect.sleep("2500 millis")),
      Effect.andThen(Effect.sync(() => void done++))
    )
  return { begun, done: () => done, handler }
}

class Away extends Data.TaggedError("Away")<{ readonly detail: string }> {}

describeLive(
  "tokens",
  () => {
    const oauth = makeOAuth()
    const node = ownRabbit({ ...oauth.node, settings: tick })

    /** The connections that RabbitMQ has: another one in place of one would have another id. */
    const pids = Effect.promise(() =>
      node().eval("lists:sort([pid_to_list(P) || P <- rabbit_networking:connections()]).")
    )

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
              connectTimeout: "2 minutes",
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
        const { asked, bus, connections, subscribe } = yield* stage(() => oauth.token({ seconds }))
        const [plain, keyed] = [makeLedger(), makeLedger()]
        yield* subscribe(fresh(), { events: [Thing], handler: plain.handler })
        yield* subscribe(fresh(), { events: [Thing], ordering: "key", handler: keyed.handler })
        const before = asked()
        const open = yield* pids
        const states = new Set<string>()
        let n = 0
        const start = Date.now()
        // Each connection asks for its own tokens: five lives of both.
        while (asked() < before + 10 || Date.now() < start + soakMillis) {
          // Every fourth waits on the ladder for a second, as retries do.
          yield* bus.publish(Thing, { n }, { key: `k${n % 40}`, ...(n % 4 === 3 && { delay: "1 second" }) })
          n++
          for (const { detail, status } of yield* connections) states.add(`${status} ${detail}`)
          yield* Effect.sleep(250)
        }
        for (const { done } of [plain, keyed])
          yield* until(
            () => `${done()} of ${n} handled`,
            () => done() === n
          )
        const all = Array.from({ length: n }, (_, i) => i)
        for (const { begun } of [plain, keyed])
          assert.deepStrictEqual(
            begun.toSorted((a, b) => a - b),
            all
          )
        assert.deepStrictEqual([...states], [`up connected to 127.0.0.1:${node().port}, epoch 1`])
        // The one for declarations, too.
        assert.deepStrictEqual(yield* pids, open)
        if (soakMillis > 0)
          console.info(`${n} events, ${asked()} tokens of ${seconds} s, ${(Date.now() - start) / 1000} s, ${open}`)
      })
    )

    it.live("P11, P14: while no token can be had health says so; what waits is sent with the next one", () =>
      Effect.gen(function* () {
        let isAway = false
        const { asked, bus, connections, subscribe } = yield* stage(() =>
          isAway ? undefined : oauth.token({ seconds })
        )
        const handled: Array<number> = []
        const { status } = yield* subscribe(fresh(), {
          events: [Thing],
          restarts: { max: 1 },
          handler: ({ data }) => Effect.sync(() => void handled.push(data.n))
        })
        isAway = true
        const before = asked()
        const start = Date.now()
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
          () => asked() >= before + 6 && Date.now() > start + soakMillis,
          240 + soakMillis / 1000
        )
        // RabbitMQ before 4.3 leaves a consumer alone whose token has ended.
        assert.notStrictEqual(SubscriptionRef.getUnsafe(status)._tag, "Failed")
        isAway = false
        yield* Effect.retry(bus.publish(Thing, { n: 1 }), { while: ({ reason }) => reason._tag === "Denied" })
        yield* until(
          () => `${JSON.stringify(SubscriptionRef.getUnsafe(status))} ${handled.length}`,
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
          const token = oauth.token({ seconds, ...(scope !== undefined && { scope }) })
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

    it.live(
      "P11, P14: a token whose key was withdrawn is one error with its claims, until RabbitMQ takes the next one",
      () =>
        Effect.gen(function* () {
          const withdrawn = makeOAuth()
          const tokens: Array<string> = []
          let isRevoked = false
          const metrics = new Map()
          const { bus, connections, subscribe } = yield* stage(() => {
            const token = (isRevoked ? withdrawn : oauth).token({ seconds })
            tokens.push(token)
            return token
          }).pipe(Effect.provideService(Metric.MetricRegistry, metrics))
          const failures = Effect.map(Metric.snapshot, (all) =>
            all
              .filter(
                ({ attributes, id }) =>
                  id === "eventbus.connection.credential_renewals" && attributes?.["eventbus.outcome"] === "failed"
              )
              .reduce((sum, { state }) => sum + ("count" in state ? Number(state.count) : 0), 0)
          ).pipe(Effect.provideService(Metric.MetricRegistry, metrics))
          const handled: Array<number> = []
          const { status } = yield* subscribe(fresh(), {
            events: [Thing],
            restarts: { max: 1 },
            handler: ({ data }) => Effect.sync(() => void handled.push(data.n))
          })
          yield* bus.publish(Thing, { n: 1 })
          isRevoked = true
          // RabbitMQ looks at the next one only, and ends the connection that brings it.
          const refused =
            /refused user "svc" with its token \(sub "svc", aud "rabbitmq", scope "rabbitmq\.configure.*", until .*Z\): have a new one/
          let reported: ReadonlyArray<string> = []
          yield* untilEffect(
            () => reported.join(),
            Effect.map(connections, (checks) => {
              reported = checks.map(({ detail, status }) => `${status} ${detail}`)
              return reported.every((text) => text.startsWith("down ") && refused.test(text))
            })
          )
          const failed = yield* Effect.flip(bus.publish(Thing, { n: 2 }, { timeout: "1 second" }))
          assert.strictEqual(failed.reason._tag === "Unavailable" && failed.reason.cause._tag, "Authentication")
          assert.match(failed.message, refused)
          for (const token of tokens) assertSecretless([failed, reported], token)
          // The alert needs more than one within five minutes, for as long as it lasts.
          const before = yield* failures
          yield* untilEffect(
            () => `${before} failures`,
            Effect.map(failures, (count) => count >= before + 4)
          )
          assert.notStrictEqual(SubscriptionRef.getUnsafe(status)._tag, "Failed")
          isRevoked = false
          yield* bus.publish(Thing, { n: 3 })
          yield* until(
            () => `${JSON.stringify(SubscriptionRef.getUnsafe(status))} ${handled.join()}`,
            () => handled.includes(3)
          )
        })
    )
  },
  ["rabbitNode"]
)
