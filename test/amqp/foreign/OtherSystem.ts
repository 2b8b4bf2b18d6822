/** Another system on the same RabbitMQ: what it declares, publishes, and finds in its queues. */
import { assert } from "@effect/vitest"
import type { Channel, Options } from "amqplib"
import { Effect, Layer, Schema } from "effect"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import * as Event from "../../../src/event/Event.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as MemoryClaims from "../../../src/memory/MemoryClaims.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { freshNamespace, rabbitUrl } from "../../support/live.ts"
import { rawChannel } from "../setup/OpenBroker.ts"

export const Order = Schema.Struct({ n: Schema.Finite, customer: Schema.optionalKey(Schema.String) })

/** A contract of ours for events of theirs. */
export const order = () =>
  Event.make(fresh("ordered"), {
    version: 1,
    data: Order,
    key: ({ customer }) => customer ?? "nobody"
  })

/** A process with a bus in a namespace of its own, or in this one. */
export const service = (namespace = freshNamespace(), url = rabbitUrl()) =>
  Effect.map(
    start(
      processOver(
        Layer.mergeAll(
          AmqpBroker.layer({
            servers: url,
            namespace,
            source: "ours",
            callTimeout: "1 minute",
            connectTimeout: "1 minute"
          }),
          MemoryCache.layer,
          MemoryClaims.layer
        )
      )
    ),
    (process) => ({ ...process, namespace })
  )

/** The queue of another system, deleted at the end, and what is sent into it. */
export const theirQueue = (options: Options.AssertQueue = {}, name = `theirs.${freshNamespace()}`) =>
  Effect.gen(function* () {
    const channel = yield* rawChannel(rabbitUrl())
    yield* Effect.acquireRelease(
      Effect.promise(() => channel.assertQueue(name, { durable: true, ...options })),
      () => Effect.promise(() => channel.deleteQueue(name).catch(() => {}))
    )
    return {
      name,
      channel,
      send: (body: unknown, properties: Options.Publish = {}): void =>
        void channel.sendToQueue(name, bytesOf(body), { persistent: true, ...properties }),
      count: Effect.promise(async () => (await channel.checkQueue(name)).messageCount)
    }
  })

/** An exchange of another system, deleted at the end. */
export const theirExchange = (
  type: string,
  options: Options.AssertExchange = {},
  name = `theirs.${freshNamespace()}`
) =>
  Effect.gen(function* () {
    const channel = yield* rawChannel(rabbitUrl())
    yield* Effect.acquireRelease(
      Effect.promise(() => channel.assertExchange(name, type, { durable: true, ...options })),
      () => Effect.promise(() => channel.deleteExchange(name).catch(() => {}))
    )
    return {
      name,
      channel,
      send: (routingKey: string, body: unknown, properties: Options.Publish = {}): void =>
        void channel.publish(name, routingKey, bytesOf(body), properties)
    }
  })

const bytesOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)))

/** Fails unless the queue can still be declared exactly as its owner declared it: nothing of it was changed. */
export const assertUnchanged = (channel: Channel, name: string, options: Options.AssertQueue = {}) =>
  Effect.promise(async () => {
    const answer = await channel.assertQueue(name, { durable: true, ...options })
    assert.strictEqual(answer.queue, name)
  })
