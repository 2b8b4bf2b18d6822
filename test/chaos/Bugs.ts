/**
 * Mistakes that the library does not make, made in a process of a run: a judgement that does not find them
 * proves nothing. Some change amqplib's channels, some the bytes that are sent, some the ports of the bus.
 */
import type { ConsumeMessage } from "amqplib"
import { Effect, Layer, Redacted } from "effect"
import { AmqpBroker } from "../../src/amqp/index.ts"
import { Broker, type Delivery, inFlight } from "../../src/bus/port/Broker.ts"
import { ClaimStore, type Subject } from "../../src/bus/port/ClaimStore.ts"
import { Event, EventBus } from "../../src/index.ts"
import { RedisCache, RedisClient, RedisClaims } from "../../src/redis/index.ts"
import { foreign, Step, stepOptions } from "./Events.ts"
import { busOptions } from "./ProcessHarness.ts"
import type { ProcessOptions } from "./ProcessOptions.ts"
import { eventsOf, firstRelease } from "./Releases.ts"
import * as AmqplibHooks from "./AmqplibHooks.ts"
import * as ClusterBugs from "./ClusterBugs.ts"
import { fromCallback } from "../support/CallbackSend.ts"
import { measureByWallClock } from "./WallClock.ts"

/** The mistakes in channels and bytes. */
export const install = ({ bug, namespace }: ProcessOptions): void => {
  const isSubscriber = (queue: string): boolean => queue.startsWith(`${namespace}.sub.`)
  switch (bug) {
    case "ack-before-handle":
      return ackBeforeHandle(isSubscriber)
    case "transient-classic":
      return transientClassic(isSubscriber)
    case "no-mandatory":
      return AmqplibHooks.neverMandatory()
    case "cancel-first":
      return cancelFirst(isSubscriber)
    case "requeue-forever":
      return requeueForever(isSubscriber)
    case "late-acks":
      return lateAcks(isSubscriber)
    case "waits-by-wall-clock":
    case "lanes-by-wall-clock":
      return measureByWallClock()
    case "timeout-is-deletion":
      return ClusterBugs.timeoutIsDeletion(isSubscriber)
    case "silent-line-kept":
      return ClusterBugs.silentLineKept()
    case "binds-on-consume-line":
      return ClusterBugs.bindsOnConsumeLine(isSubscriber, namespace)
    default:
      return
  }
}

/** Acknowledgements wait for a while, so that what was handled before a killer counts as unhandled. */
const lateAcks = (isSubscriber: (queue: string) => boolean): void => {
  const late = new WeakSet<AmqplibHooks.Channel>()
  AmqplibHooks.around(
    "consume",
    (consume) =>
      function (queue, receive, settings) {
        if (isSubscriber(queue)) late.add(this)
        return consume.call(this, queue, receive, settings)
      }
  )
  AmqplibHooks.around(
    "ack",
    (ack) =>
      function (message, allUpTo) {
        if (late.has(this)) setTimeout(() => ack.call(this, message, allUpTo), 200)
        else ack.call(this, message, allUpTo)
      }
  )
}

const ackBeforeHandle = (isSubscriber: (queue: string) => boolean): void => {
  const hasty = new WeakSet<AmqplibHooks.Channel>()
  AmqplibHooks.around(
    "consume",
    (consume) =>
      function (queue, receive, settings) {
        if (!isSubscriber(queue)) return consume.call(this, queue, receive, settings)
        AmqplibHooks.byAmqplib(this)
        const early = (message: ConsumeMessage | null): void => {
          if (message !== null) this.ack(message, false)
          hasty.add(this)
          receive(message)
        }
        return consume.call(this, queue, early, settings)
      }
  )
  AmqplibHooks.around(
    "ack",
    (ack) =>
      function (message, allUpTo) {
        // Acks of the library come without a body.
        if ("content" in message || !hasty.has(this)) ack.call(this, message, allUpTo)
      }
  )
}

const transientClassic = (isSubscriber: (queue: string) => boolean): void => {
  AmqplibHooks.around(
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
  AmqplibHooks.neverPersistent()
}

const cancelFirst = (isSubscriber: (queue: string) => boolean): void => {
  const consumers: Array<() => Promise<unknown>> = []
  AmqplibHooks.around(
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

/** "I am busy, another consumer will take it": there is none, so the same event comes back at once, with one life less. */
const requeueForever = (isSubscriber: (queue: string) => boolean): void => {
  const busy = new WeakMap<AmqplibHooks.Channel, Set<number>>()
  AmqplibHooks.around(
    "consume",
    (consume) =>
      function (queue, receive, settings) {
        if (!isSubscriber(queue)) return consume.call(this, queue, receive, settings)
        const taken = new Set<number>()
        AmqplibHooks.byAmqplib(this)
        busy.set(this, taken)
        const fussy = (message: ConsumeMessage | null): void => {
          if (message !== null && taken.size >= 4) return this.nack(message, false, true)
          if (message !== null) taken.add(message.fields.deliveryTag)
          receive(message)
        }
        return consume.call(this, queue, fussy, settings)
      }
  )
  AmqplibHooks.around(
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

/** The mistakes at the ports; undefined for a bus without such a mistake. */
export const bus = (options: ProcessOptions) => {
  const { bug, namespace, redisUrl } = options
  const { heartbeat, publishTimeout, source, url } = busOptions(options)
  const client = RedisClient.layer({ url: Redacted.make(redisUrl), prefix: namespace })
  const marks = Layer.provide(RedisClaims.layer, client)
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
    case "sleeps-the-lease":
      return wired(broker, Layer.provide(ClusterBugs.sleptLeases, marks))
    case "unknown-is-acked":
      return wired(Layer.provide(ackedUnknown(options), broker), marks)
    case "group-missing-in-key":
      return wired(
        broker,
        Layer.provide(
          changedSubjects((subject) => ({ ...subject, subscriber: "all" })),
          marks
        )
      )
    case "source-missing-in-key":
      return wired(
        broker,
        Layer.provide(
          changedSubjects((subject) => ({ ...subject, source: "any" })),
          marks
        )
      )
    default:
      return undefined
  }
}

/** Acknowledges by tag on the present channel, which may be another one. */
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

/** Counts a dead letter as stored as soon as it was sent. */
const unconfirmedLetters = Layer.effect(
  Broker,
  Effect.map(Broker, (broker) =>
    Broker.of({
      ...broker,
      send: fromCallback((message, done) => {
        if (message.to._tag !== "DeadLetter") return broker.send(inFlight(message, done))
        broker.send(inFlight(message, () => {}))
        queueMicrotask(() => done({ _tag: "Confirmed", routed: true }))
      })
    })
  )
)

/** Acknowledges events that this process does not know, which another process of its subscriber may. */
const ackedUnknown = (options: ProcessOptions) => {
  const { release = firstRelease } = options.role === "subscriber" ? options : {}
  const known = eventsOf(release).map(({ name }) => name)
  return Layer.effect(
    Broker,
    Effect.map(Broker, (broker) =>
      Broker.of({
        ...broker,
        consume: (consumer) =>
          broker.consume({
            ...consumer,
            onDelivery: (delivery) =>
              known.some((name) => name === delivery.properties.type) ? consumer.onDelivery(delivery) : delivery.ack()
          })
      })
    )
  )
}

const markFirst = Layer.effect(
  ClaimStore,
  Effect.map(ClaimStore, (marks) =>
    ClaimStore.of({
      ...marks,
      claim: (subject, claimant, lease) =>
        Effect.tap(marks.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Claimed" ? marks.done(subject, claimant, 24 * 60 * 60 * 1000) : Effect.void
        )
    })
  )
)

/** Claims and done marks that do not tell all events apart. */
const changedSubjects = (change: (subject: Subject) => Subject) =>
  Layer.effect(
    ClaimStore,
    Effect.map(ClaimStore, (marks) =>
      ClaimStore.of({
        claim: (subject, claimant, lease) => marks.claim(change(subject), claimant, lease),
        renew: (held, lease) =>
          marks.renew(
            held.map((one) => ({ ...one, subject: change(one.subject) })),
            lease
          ),
        done: (subject, claimant, ttl) => marks.done(change(subject), claimant, ttl),
        release: (subject, claimant) => marks.release(change(subject), claimant)
      })
    )
  )

/** The contract as a subscriber has it that takes the subject of an event for its key. */
export const stepOf = ({ bug }: ProcessOptions): typeof Step =>
  bug !== "subject-is-key"
    ? Step
    : Event.make("chaos.step", {
        ...stepOptions,
        key: ({ key, kind, seq }) => (foreign.some((other) => other === kind) ? `${key}/${seq}` : key)
      })
