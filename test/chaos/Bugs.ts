/**
 * Ten mistakes that this library does not make, made in a process of these runs: a verdict that does not
 * see them proves nothing. Some are done to amqplib's channels, some to the bytes on
 * the wire, some to the ports of the bus.
 */
import type { ConsumeMessage } from "amqplib"
import { Effect, Layer, Redacted } from "effect"
import { AmqpBroker } from "../../src/amqp/index.ts"
import { Broker, type Delivery } from "../../src/bus/Broker.ts"
import { Marks } from "../../src/bus/Marks.ts"
import { EventBus } from "../../src/index.ts"
import { RedisCache, RedisClient, RedisMarks } from "../../src/redis/index.ts"
import { busOptions } from "./Child.ts"
import type { ProcessOptions } from "./Contract.ts"
import * as Wire from "./Wire.ts"

/** The mistakes on the wire. */
export const install = ({ bug, namespace }: ProcessOptions): void => {
  const isSubscriber = (queue: string): boolean => queue.startsWith(`${namespace}.sub.`)
  switch (bug) {
    case "ack-before-handle":
      return ackBeforeHandle(isSubscriber)
    case "transient-classic":
      return transientClassic(isSubscriber)
    case "no-mandatory":
      return Wire.neverMandatory()
    case "cancel-first":
      return cancelFirst(isSubscriber)
    case "requeue-forever":
      return requeueForever(isSubscriber)
    default:
      return
  }
}

const ackBeforeHandle = (isSubscriber: (queue: string) => boolean): void => {
  const hasty = new WeakSet<Wire.Channel>()
  Wire.around(
    "consume",
    (consume) =>
      function (queue, receive, settings) {
        if (!isSubscriber(queue)) return consume.call(this, queue, receive, settings)
        Wire.byAmqplib(this)
        const early = (message: ConsumeMessage | null): void => {
          if (message !== null) this.ack(message, false)
          hasty.add(this)
          receive(message)
        }
        return consume.call(this, queue, early, settings)
      }
  )
  Wire.around(
    "ack",
    (ack) =>
      function (message, allUpTo) {
        // Those of the library come without a body.
        if ("content" in message || !hasty.has(this)) ack.call(this, message, allUpTo)
      }
  )
}

const transientClassic = (isSubscriber: (queue: string) => boolean): void => {
  Wire.around(
    "assertQueue",
    (assert) =>
      function (queue, settings) {
        if (!isSubscriber(queue)) return assert.call(this, queue, settings)
        const given: unknown = settings?.arguments
        const dead = typeof given === "object" && given !== null ? Object.entries(given) : []
        const kept = dead.filter(([name]) => name === "x-dead-letter-exchange" || name === "x-dead-letter-routing-key")
        return assert.call(this, queue, {
          ...settings,
          arguments: { ...Object.fromEntries(kept), "x-queue-type": "classic" }
        })
      }
  )
  Wire.neverPersistent()
}

const cancelFirst = (isSubscriber: (queue: string) => boolean): void => {
  const consumers: Array<() => Promise<unknown>> = []
  Wire.around(
    "consume",
    (consume) =>
      async function (queue, receive, settings) {
        const answer = await consume.call(this, queue, receive, settings)
        if (isSubscriber(queue)) consumers.push(() => this.cancel(answer.consumerTag))
        return answer
      }
  )
  process.prependListener("SIGTERM", () => consumers.forEach((cancel) => void cancel().catch(() => {})))
}

/** "I am busy, somebody else will do it": nobody else is there, so the same event comes at once, a life poorer. */
const requeueForever = (isSubscriber: (queue: string) => boolean): void => {
  const busy = new WeakMap<Wire.Channel, Set<number>>()
  Wire.around(
    "consume",
    (consume) =>
      function (queue, receive, settings) {
        if (!isSubscriber(queue)) return consume.call(this, queue, receive, settings)
        const taken = new Set<number>()
        Wire.byAmqplib(this)
        busy.set(this, taken)
        const fussy = (message: ConsumeMessage | null): void => {
          if (message !== null && taken.size >= 4) return this.nack(message, false, true)
          if (message !== null) taken.add(message.fields.deliveryTag)
          receive(message)
        }
        return consume.call(this, queue, fussy, settings)
      }
  )
  Wire.around(
    "ack",
    (ack) =>
      function (message, allUpTo) {
        const taken = busy.get(this)
        const { deliveryTag } = message.fields
        for (const tag of taken ?? [])
          if (tag === deliveryTag || (allUpTo === true && tag < deliveryTag)) taken?.delete(tag)
        ack.call(this, message, allUpTo)
      }
  )
}

/** The mistakes at the ports; undefined when the bus is to be as the door gives it. */
export const bus = (options: ProcessOptions) => {
  const { bug, namespace, redisUrl } = options
  const { heartbeat, publishTimeout, source, url } = busOptions(options)
  const client = RedisClient.layer({ url: Redacted.make(redisUrl), prefix: namespace })
  const marks = Layer.provide(RedisMarks.layer, client)
  const broker = AmqpBroker.layer({ servers: url, namespace, source, heartbeat })
  const wired = (brokerLayer: typeof broker, marksLayer: typeof marks) =>
    EventBus.layerWith({ source, publishTimeout }).pipe(
      Layer.provide(Layer.mergeAll(brokerLayer, Layer.provide(RedisCache.layerOnClient, client), marksLayer))
    )
  switch (bug) {
    case "ack-on-wrong-channel":
      return wired(Layer.provide(wrongChannel, broker), marks)
    case "dead-letter-unconfirmed":
      return wired(Layer.provide(unconfirmedLetters, broker), marks)
    case "mark-before-handle":
      return wired(broker, Layer.provide(markFirst, marks))
    case "group-missing-in-key":
      return wired(broker, Layer.provide(groupless, marks))
    default:
      return undefined
  }
}

/** Acknowledges by tag on whatever channel there is now. */
const wrongChannel = Layer.effect(
  Broker,
  Effect.map(Broker, (broker) => {
    const channels: Array<Array<Delivery>> = []
    return Broker.of({
      ...broker,
      consume: (consumer) => {
        const mine: Array<Delivery> = []
        channels.push(mine)
        return broker.consume({
          ...consumer,
          onDelivery: (delivery) => {
            const tag = mine.push(delivery)
            consumer.onDelivery({ ...delivery, lost: () => false, ack: () => channels.at(-1)?.[tag - 1]?.ack() })
          }
        })
      }
    })
  })
)

/** Takes a dead letter for stored as soon as it was given away. */
const unconfirmedLetters = Layer.effect(
  Broker,
  Effect.map(Broker, (broker) =>
    Broker.of({
      ...broker,
      send: (message, done) => {
        if (message.to._tag !== "DeadLetter") return broker.send(message, done)
        broker.send(message, () => {})
        queueMicrotask(() => done({ _tag: "Confirmed", routed: true }))
      }
    })
  )
)

const markFirst = Layer.effect(
  Marks,
  Effect.map(Marks, (marks) =>
    Marks.of({
      ...marks,
      claim: (subject, claimant, lease) =>
        Effect.tap(marks.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Claimed" ? marks.done(subject, claimant, 24 * 60 * 60 * 1000) : Effect.void
        )
    })
  )
)

const groupless = Layer.effect(
  Marks,
  Effect.map(Marks, (marks) =>
    Marks.of({
      claim: ({ id }, claimant, lease) => marks.claim({ subscriber: "all", id }, claimant, lease),
      done: ({ id }, claimant, ttl) => marks.done({ subscriber: "all", id }, claimant, ttl),
      release: ({ id }, claimant) => marks.release({ subscriber: "all", id }, claimant)
    })
  )
)
