/** What the tests of the RabbitMQ adapter share: brokers that can be closed early, raw channels, sends with every call of their `done`, and what a consumer got. */
import { assert } from "@effect/vitest"
import { type Channel, connect } from "amqplib"
import { Cause, Effect, Exit, type Random, Scope, SubscriptionRef } from "effect"
import { inspect } from "node:util"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import type { AmqpOptions } from "../../src/amqp/AmqpOptions.ts"
import type { Address, Broker, Delivery, Outgoing, SendOutcome, SubscriberSpec } from "../../src/bus/Broker.ts"
import { BrokerError } from "../../src/bus/BrokerError.ts"
import { freshNamespace } from "../support/live.ts"
import { startProxy } from "../support/Proxy.ts"
import type { RabbitNode } from "../support/RabbitNode.ts"

export const secret = "canary-5ecret"
export type Service = Broker["Service"]

/** A broker that ends with the test, or when `close` is called. */
export const open = Effect.fnUntraced(function* (servers: AmqpOptions["servers"], options: Partial<AmqpOptions> = {}) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const broker = yield* AmqpBroker.make({ servers, namespace: freshNamespace(), source: "test", ...options }).pipe(
    Scope.provide(scope)
  )
  return { broker, close: Scope.close(scope, Exit.void) }
})

/** Everything that a logger, a console or JSON could show of a failure has no secret in it. */
export const assertSecretless = (error: unknown, hidden: string = secret): void => {
  const stack = error instanceof Error ? error.stack : ""
  assert.notInclude(
    `${String(error)}${stack}${inspect(error, { depth: 20, showHidden: true })}${JSON.stringify(error)}`,
    hidden
  )
}

/** Why a broker does not open; it must be said before `within` is over. */
export const refusalOf = Effect.fnUntraced(function* (
  servers: AmqpOptions["servers"],
  options: Partial<AmqpOptions> = {},
  within = 6000
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

let sent = 0
export const outgoing = (
  to: Address,
  more: Partial<Omit<Outgoing, "properties">> & { readonly properties?: Partial<Outgoing["properties"]> } = {}
): Outgoing => ({
  to,
  key: undefined,
  body: Buffer.from("{}"),
  headers: {},
  ...more,
  properties: {
    messageId: `m-${++sent}`,
    type: "t",
    timestamp: Date.now(),
    appId: "test",
    contentType: "application/json",
    ...more.properties
  }
})
export const event = (name: string): Address => ({ _tag: "Event", name })
export const copyTo = (name: string, seconds = 0): Address => ({ _tag: "Subscriber", name, seconds })
export const deadLetterOf = (subscriber: string): Address => ({ _tag: "DeadLetter", subscriber })

export interface Sent {
  readonly id: string
  /** One, when all is well. */
  readonly outcomes: Array<SendOutcome>
}

/** Sends now, and writes down every call of `done`. */
export const post = (broker: Service, message: Outgoing): Sent => {
  const outcomes: Array<SendOutcome> = []
  broker.send(message, (outcome) => void outcomes.push(outcome))
  return { id: message.properties.messageId, outcomes }
}
export const send = (broker: Service, message: Outgoing): Effect.Effect<SendOutcome> =>
  Effect.callback((resume) => broker.send(message, (outcome) => resume(Effect.succeed(outcome))))
/** Sends again and again, each as a new message, until one is confirmed. */
export const sendUntilConfirmed = (broker: Service, make: () => Outgoing) =>
  Effect.repeat(
    Effect.tap(
      Effect.suspend(() => send(broker, make())),
      (outcome) => (outcome._tag === "Confirmed" ? Effect.void : Effect.sleep(20))
    ),
    {
      until: (outcome) => outcome._tag === "Confirmed"
    }
  )
export const answered = (posts: ReadonlyArray<Sent>) =>
  until(
    () => `${posts.filter(({ outcomes }) => outcomes.length > 0).length} of ${posts.length} answered`,
    () => posts.every(({ outcomes }) => outcomes.length > 0)
  )
/** Every send was answered, and once. */
export const assertOnce = (posts: ReadonlyArray<Sent>): void => {
  assert.deepStrictEqual(
    posts.filter(({ outcomes }) => outcomes.length !== 1),
    []
  )
}
export const idsOf = (posts: ReadonlyArray<Sent>, tag: SendOutcome["_tag"]): ReadonlyArray<string> =>
  posts.filter(({ outcomes }) => outcomes[0]?._tag === tag).map(({ id }) => id)

export const subscriber = (
  name: string,
  patterns: ReadonlyArray<string>,
  ordering: SubscriberSpec["ordering"] = "none"
): SubscriberSpec => ({ name, patterns, ordering })

/** Consumes, holding everything unless `each` settles it. */
export const consume = Effect.fnUntraced(function* (
  broker: Service,
  name: string,
  prefetch = 100,
  each: (delivery: Delivery) => void = () => {}
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const deliveries: Array<Delivery> = []
  const losses: Array<BrokerError> = []
  const consumer = yield* broker
    .consume({
      subscriber: name,
      prefetch,
      onDelivery: (delivery) => {
        deliveries.push(delivery)
        each(delivery)
      },
      onLost: (error) => void losses.push(error)
    })
    .pipe(Scope.provide(scope))
  return {
    deliveries,
    losses,
    cancel: consumer.cancel,
    ids: () => deliveries.map(({ properties }) => properties.messageId ?? "?"),
    reaches: (count: number) =>
      until(
        () => `${deliveries.length} of ${count} delivered`,
        () => deliveries.length >= count
      ),
    close: Scope.close(scope, Exit.void)
  }
})

export const until = (what: () => string, condition: () => boolean, seconds = 20): Effect.Effect<void> =>
  untilEffect(what, Effect.sync(condition), seconds)
export const untilEffect = <E, R>(
  what: () => string,
  condition: Effect.Effect<boolean, E, R>,
  seconds = 20
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const deadline = Date.now() + seconds * 1000
    while (!(yield* condition)) {
      if (Date.now() > deadline) assert.fail(`not within ${seconds} seconds: ${what()}`)
      yield* Effect.sleep(5)
    }
  })
export const statusIs = (broker: Service, tag: "Connecting" | "Up" | "Blocked" | "Closed") =>
  untilEffect(
    () => `status ${tag}`,
    Effect.map(
      Effect.suspend(() => statusOf(broker)),
      (status) => status === tag
    )
  )
const statusOf = (broker: Service) => Effect.map(SubscriptionRef.get(broker.status), ({ _tag }) => _tag)

/** Sends in small batches until `stop` says so. */
export const sendMany = (broker: Service, name: string, posts: Array<Sent>, count: number) =>
  Effect.gen(function* () {
    for (let n = 0; n < count; n += 20) {
      for (let i = 0; i < 20; i++)
        posts.push(post(broker, outgoing(event(name), { key: `k${i}`, body: Buffer.alloc(500) })))
      yield* Effect.promise(() => new Promise(setImmediate))
    }
  })
/** Everything in the queue, settled. */
export const drained = Effect.fnUntraced(function* (broker: Service, name: string, marker: string) {
  const consumer = yield* consume(broker, name, 250, ({ ack }) => ack())
  const end = outgoing(event(marker), { properties: { messageId: "the end" } })
  yield* sendUntilConfirmed(broker, () => end)
  yield* until(
    () => "the end of the queue",
    () => consumer.ids().includes("the end")
  )
  yield* consumer.close
  return new Set(consumer.ids())
})
export const assertStored = (posts: ReadonlyArray<Sent>, stored: ReadonlySet<string>): void => {
  assertOnce(posts)
  assert.deepStrictEqual(
    idsOf(posts, "Confirmed").filter((id) => !stored.has(id)),
    [],
    "confirmed and not stored"
  )
  assert.deepStrictEqual(
    idsOf(posts, "NotSent").filter((id) => stored.has(id)),
    [],
    "not sent and yet stored"
  )
}

/** Reconnects almost without waiting: the jitter is always small. */
export const hasty: typeof Random.Random.Service = { nextDoubleUnsafe: () => 0.001, nextIntUnsafe: () => 0 }

/** Connections and channels on the node, once as they should be. */
export const linksOf = Effect.fnUntraced(function* (
  node: RabbitNode,
  expected: (links: number) => boolean = () => true
) {
  let links = 0
  const count = Effect.promise(() =>
    node.ctl("eval", "length(rabbit_networking:connections()) + length(rabbit_channel:list()).")
  )
  yield* untilEffect(
    () => `${links} connections and channels`,
    Effect.map(count, (text) => expected((links = Number(text))))
  )
  return links
})
