/**
 * Publishes on a small pool of confirm channels, chosen by the hash of the key so that events of one
 * key stay in order, shared and pipelined. One record per message on its way; no fiber, no promise.
 *
 * Every message is mandatory: a `basic.return` comes before its confirm and is matched by exchange,
 * routing key and message id. Two messages of one such triple are never on one channel at once, else
 * the return of one could be taken for that of the other.
 */
import { Deferred, Effect, Exit, Latch, Option, Schedule, type Scope } from "effect"
import type { Outgoing, SendOutcome } from "../bus/Broker.ts"
import { BrokerError, BrokerRefused } from "../bus/BrokerError.ts"
import type { Link } from "./Connection.ts"
import * as HeaderTable from "./HeaderTable.ts"
import * as Lane from "./Lane.ts"
import * as PublishChannel from "./PublishChannel.ts"
import * as Refusals from "./Refusals.ts"
import * as Route from "./Route.ts"
import * as Topology from "./Topology.ts"

export interface Sender {
  readonly send: (message: Outgoing, done: (outcome: SendOutcome) => void) => void
  /**
   * Opens the pool on a link, until the scope ends; broken channels are replaced. Nothing is sent before `ready`,
   * which runs meanwhile.
   */
  readonly open: (link: Link, ready?: Effect.Effect<void, BrokerError>) => Effect.Effect<void, BrokerError, Scope.Scope>
  readonly channels: () => number
}

const routed: SendOutcome = { _tag: "Confirmed", routed: true }
const unrouted: SendOutcome = { _tag: "Confirmed", routed: false }
const rejected: SendOutcome = { _tag: "Rejected" }
const lost: SendOutcome = { _tag: "Lost" }

export const make = (options: {
  readonly namespace: string
  readonly size: number
  /** Longest time to open a channel. */
  readonly callMillis: number
  readonly now: () => number
  /** How long a channel stays that is refused. Default 30 seconds. */
  readonly renewMillis?: number
  /** Called when a channel died because something of the topology is missing. */
  readonly repair: (link: Link) => Effect.Effect<void, BrokerError>
}): Sender => {
  const lanes = Array.from({ length: options.size }, Lane.make)
  const refusals = Refusals.make(options.now)
  const route = Route.make(options.namespace)
  const damaged = Latch.makeUnsafe(false)
  let headerLimit = HeaderTable.limitFor(Number.POSITIVE_INFINITY)
  const eventsExchange = Topology.events(options.namespace)
  const dead = Topology.deadExchange(options.namespace)
  let turn = 0

  const send: Sender["send"] = (message, done) => {
    const lane = message.key === undefined ? anyLane() : lanes[hash(message.key) % lanes.length]
    if (lane?.channel === undefined) return done(noChannel)
    publish(lane, message, done)
  }
  /** Some in a row go the same way: they leave in one write, and what was published together mostly stays together. */
  const anyLane = (): Lane.Lane | undefined => {
    const first = (turn++ >>> 5) % lanes.length
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(first + i) % lanes.length]
      if (lane?.channel !== undefined) return lane
    }
    return undefined
  }

  const publish = (lane: Lane.Lane, message: Outgoing, done: (outcome: SendOutcome) => void): void => {
    const { exchange, method, routingKey } = route(message.to)
    const { body, headers, key, properties } = message
    if (lane.isPaused) return Lane.wait(lane, message, done)
    // Behind a twin that waits, else it would overtake it.
    if (key !== undefined && lane.waitingKeys.size > 0 && lane.waitingKeys.has(key))
      return Lane.wait(lane, message, done)
    if (Lane.has(lane, properties.messageId, exchange, routingKey)) return Lane.wait(lane, message, done)
    const { channel } = lane
    if (channel === undefined) return done(noChannel)
    // What would close the channel or the connection, and with it everybody's publishes.
    const fault = HeaderTable.fault(headers, headerLimit)
    if (fault !== undefined) return done(unfit(fault))
    if (method === undefined) return done(unfit("its exchange or routing key is longer than 255 bytes: shorten it"))
    const refusal = refusals.of(exchange, routingKey, body)
    if (refusal !== undefined) return done(refusal)
    const sent = Lane.enter(lane, properties.messageId, exchange, routingKey)
    try {
      channel.publish(method, message, (answer) => {
        Lane.leave(lane, sent)
        if (answer === "ack") {
          done(sent.wasReturned ? unrouted : routed)
          // Nothing but a level of the ladder can be without its own binding.
          if (sent.wasReturned && exchange !== eventsExchange && exchange !== dead) damaged.openUnsafe()
        }
        // A nack is the one error that comes while the channel lives.
        else if (answer === "nack" && lane.channel === channel) {
          lane.wasRefused = true
          done(rejected)
        } else done(refusals.ofSize(body) ?? lost)
        if (lane.waiting.length > 0 && !lane.isPaused) release(lane)
      })
    } catch (error) {
      Lane.leave(lane, sent)
      // Closed channels throw IllegalOperationError; all else is of values that the wire cannot carry, now and later.
      done(error instanceof Error && error.name !== "IllegalOperationError" ? notSendable(error) : noChannel)
    }
  }

  const release = (lane: Lane.Lane): void => {
    for (const { done, message } of Lane.takeWaiting(lane)) publish(lane, message, done)
  }

  const openFor = (lane: Lane.Lane, link: Link) =>
    PublishChannel.open(link, {
      callMillis: options.callMillis,
      onReturn: (exchange, routingKey, id) => Lane.returned(lane, exchange, routingKey, id),
      // What is missing may be declared again.
      onRefusal: (refusal) => {
        if (refusal._tag !== "Missing") refusals.learn(refusal, link.username)
      },
      onLost: (channel) => {
        if (lane.channel?.channel !== channel) return () => {}
        lane.channel = undefined
        lane.isPaused = false
        const waiting = Lane.takeWaiting(lane)
        // What was sent is answered first; these were not sent.
        return () => {
          for (const { done } of waiting) done(noChannel)
        }
      }
    })

  const use = (lane: Lane.Lane, made: PublishChannel.PublishChannel): void => {
    if (!made.isOpen()) return
    lane.channel = made
    lane.isPaused = false
    release(lane)
  }

  /**
   * A queue that was full tells the channels that it refused when there is room again, and sometimes does
   * not: RabbitMQ 3.10 forgets it when the limit itself is taken away. So a channel that is refused is
   * replaced now and then, once nothing is under way on it: order is kept.
   */
  const renew = Effect.fnUntraced(function* (lane: Lane.Lane, link: Link, old: PublishChannel.PublishChannel) {
    lane.isPaused = true
    yield* Effect.sleep("10 millis").pipe(
      Effect.repeat({ until: () => lane.inFlight.size === 0 || !old.isOpen() }),
      Effect.timeoutOption("2 seconds")
    )
    const made = lane.inFlight.size === 0 && old.isOpen() ? yield* Effect.option(openFor(lane, link)) : Option.none()
    lane.wasRefused = false
    if (Option.isNone(made) || !old.isOpen()) {
      lane.isPaused = false
      release(lane)
      return old
    }
    use(lane, made.value)
    yield* Effect.forkChild(old.close)
    return made.value
  })

  /** Sees to the channel of a lane until the connection is gone, which ends this: a lane given up would fail its keys for good. */
  const keep = Effect.fnUntraced(function* (lane: Lane.Lane, link: Link, first: PublishChannel.PublishChannel) {
    let made = first
    for (;;) {
      const refused = Effect.repeat(Effect.sleep(options.renewMillis ?? 30_000), { until: () => lane.wasRefused })
      const next = yield* Effect.raceFirst(
        Effect.map(Deferred.await(made.ended), (refusal) => ({ _tag: "Ended" as const, refusal })),
        Effect.as(refused, { _tag: "Refused" as const })
      )
      if (next._tag === "Refused") {
        made = yield* renew(lane, link, made)
        continue
      }
      const { refusal } = next
      if (refusal?._tag === "Missing") {
        const repaired = yield* Effect.exit(options.repair(link))
        if (Exit.isFailure(repaired)) refusals.learn(refusal, link.username)
      }
      yield* Effect.sleep("20 millis")
      made = yield* Effect.retry(openFor(lane, link), Schedule.spaced("200 millis"))
      use(lane, made)
    }
  })

  /** A level of the ladder lost its queue: what was sent there came back, and would do so again. */
  const mend = Effect.fnUntraced(function* (link: Link) {
    yield* damaged.await
    yield* Effect.sleep("20 millis")
    yield* damaged.close
    yield* Effect.ignore(options.repair(link))
    yield* Effect.sleep("1 second")
  })

  return {
    send,
    channels: () => lanes.filter(({ channel }) => channel !== undefined).length,
    open: (link, ready = Effect.void) =>
      Effect.gen(function* () {
        refusals.forget()
        headerLimit = HeaderTable.limitFor(link.frameMax)
        // All of them before anything is sent: a broker that blocks then would not answer for the next one.
        const opening = Effect.forEach(lanes, (lane) => Effect.map(openFor(lane, link), (made) => ({ lane, made })), {
          concurrency: "unbounded"
        })
        const [opened] = yield* Effect.all([opening, ready], { concurrency: "unbounded" })
        for (const { lane, made } of opened) {
          use(lane, made)
          yield* Effect.forkScoped(keep(lane, link, made))
        }
        damaged.closeUnsafe()
        yield* Effect.forkScoped(Effect.forever(mend(link)))
      })
  }
}

const noChannel: SendOutcome = { _tag: "NotSent", error: PublishChannel.noChannel }

const unfit = (detail: string): SendOutcome => ({
  _tag: "NotSent",
  error: new BrokerError({ reason: new BrokerRefused({ operation: "publish", detail }) })
})

const notSendable = (error: Error): SendOutcome =>
  unfit(
    error instanceof RangeError
      ? "its headers are too large for a frame: shorten them"
      : "one of its properties is of a wrong type, or longer than 255 bytes: shorten it"
  )

/** FNV-1a. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
