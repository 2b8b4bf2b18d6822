/** Brokers over RabbitMQ that a test can close early, why they do not open, and what other programs have open. */
import { assert } from "@effect/vitest"
import { type Channel, connect } from "amqplib"
import { Cause, Effect, Exit, type Random, Scope, Stream, SubscriptionRef } from "effect"
import { inspect } from "node:util"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import type { AmqpOptions } from "../../../src/amqp/AmqpOptions.ts"
import type { Broker } from "../../../src/bus/port/Broker.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { freshNamespace } from "../../support/live.ts"
import { startProxy } from "../../support/Proxy.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { countOfReturn } from "../../support/Returns.ts"
import { untilEffect } from "./Until.ts"

export const secret = "canary-5ecret"

export type Service = Broker["Service"]

/** A node on a busy machine answers late, and few tests are about that. */
const callTimeout = "30 seconds"

/** A broker that ends with the test, or when `close` is called. */
export const open = Effect.fnUntraced(function* (servers: AmqpOptions["servers"], options: Partial<AmqpOptions> = {}) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const settings: AmqpOptions = { servers, namespace: freshNamespace(), source: "test", callTimeout, ...options }
  const broker = yield* AmqpBroker.make(settings).pipe(Scope.provide(scope))
  return { broker, close: Scope.close(scope, Exit.void) }
})

/** How much a delivery without order counts that is given back to this server in order. */
export const countOfReturnAt = (url: string) =>
  Effect.promise(async () => {
    const model = await connect(url)
    const count = countOfReturn(model)
    await model.close()
    return count
  })

/** Nothing that a logger, a console or JSON could show of a failure contains the secret. */
export const assertSecretless = (error: unknown, hidden: string = secret): void => {
  const stack = error instanceof Error ? error.stack : ""
  assert.notInclude(
    `${String(error)}${stack}${inspect(error, { depth: 20, showHidden: true })}${JSON.stringify(error)}`,
    hidden
  )
}

/** Why a broker does not open; it must fail within this time. */
export const refusalOf = Effect.fnUntraced(function* (
  servers: AmqpOptions["servers"],
  options: Partial<AmqpOptions> = {},
  within = 120_000
) {
  const exit = yield* open(servers, options).pipe(
    Effect.scoped,
    Effect.exit,
    Effect.timeoutOrElse({ duration: within, orElse: () => Effect.die(new Error(`no answer within ${within} ms`)) })
  )
  if (Exit.isSuccess(exit)) return assert.fail("it opened")
  assertSecretless(exit)
  assert.notInclude(Cause.pretty(exit.cause), secret)
  const error = Cause.squash(exit.cause)
  assert.instanceOf(error, BrokerError)
  assertSecretless(error)
  return error
})

export const proxyTo = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(() => startProxy(port)),
    (proxy) => Effect.promise(() => proxy.close())
  )

/** A channel of another program. */
export const rawChannel = (url: string): Effect.Effect<Channel, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const model = await connect(url)
        model.on("error", () => {})
        const channel = await model.createChannel()
        channel.on("error", () => {})
        return { model, channel }
      }),
      ({ model }) => Effect.promise(() => model.close().catch(() => {}))
    ),
    ({ channel }) => channel
  )

/** Sees a status that lasts for a moment only, too. */
export const statusIs = (broker: Service, tag: "Connecting" | "Up" | "Blocked" | "Closed"): Effect.Effect<void> =>
  SubscriptionRef.changes(broker.status).pipe(
    Stream.filter(({ _tag }) => _tag === tag),
    Stream.runHead,
    Effect.timeoutOrElse({
      duration: "4 minutes",
      orElse: () => Effect.sync(() => assert.fail(`not within 4 minutes: status ${tag}`))
    }),
    Effect.asVoid
  )

/** Reconnects almost at once: the jitter is always small. */
export const quickReconnects: typeof Random.Random.Service = { nextDoubleUnsafe: () => 0.001, nextIntUnsafe: () => 0 }

/** Counts the connections and channels of the node, once they are as expected. */
export const linksOf = Effect.fnUntraced(function* (
  node: RabbitNode,
  expected: (links: number) => boolean = () => true
) {
  let links = 0
  const count = Effect.promise(() =>
    node.eval("length(rabbit_networking:connections()) + length(rabbit_channel:list()).")
  )
  yield* untilEffect(
    () => `${links} connections and channels`,
    Effect.map(count, (text) => expected((links = Number(text))))
  )
  return links
})
