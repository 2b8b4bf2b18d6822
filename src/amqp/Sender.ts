/**
 * Publishes on a small pool of confirm channels, chosen by the hash of the key so that events of one
 * key stay in order, shared and pipelined. One record per message on its way; no fiber, no promise.
 *
 * Every message is mandatory: a `basic.return` comes before its confirm and is matched by exchange,
 * routing key and message id. Two messages of one such triple are never on one channel at once, else
 * the return of one could be taken for that of the other.
 */
import type { ConfirmChannel, Options } from "amqplib"
import { Deferred, Effect, Exit, Schedule, type Scope } from "effect"
import type { Address, Outgoing, SendOutcome } from "../bus/Broker.ts"
import { BrokerError, BrokerRefused, ConnectionFailed } from "../bus/BrokerError.ts"
import type { Link } from "./Connection.ts"
import * as Ladder from "./DelayLadder.ts"
import * as HeaderTable from "./HeaderTable.ts"
import * as Refusals from "./Refusals.ts"
import * as Topology from "./Topology.ts"

interface Sent {
  readonly lane: Lane
  readonly id: string
  readonly exchange: string
  readonly routingKey: string
  readonly done: (outcome: SendOutcome) => void
  returned: boolean
  /** Others of the same id on this channel: two subscribers' copies of one event. */
  next: Sent | undefined
}

interface Lane {
  channel: ConfirmChannel | undefined
  readonly inFlight: Map<string, Sent>
  /** Twins of what is on its way and what follows them under their keys, in order. */
  waiting: Array<{ readonly message: Outgoing; readonly done: (outcome: SendOutcome) => void }>
  readonly waitingKeys: Set<string>
}

export interface Sender {
  readonly send: (message: Outgoing, done: (outcome: SendOutcome) => void) => void
  /** Opens the pool on a link, until the scope ends; broken channels are replaced. */
  readonly open: (link: Link) => Effect.Effect<void, BrokerError, Scope.Scope>
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
  /** Called when a channel died because something of the topology is missing. */
  readonly repair: (link: Link) => Effect.Effect<void, BrokerError>
}): Sender => {
  const lanes: ReadonlyArray<Lane> = Array.from({ length: options.size }, () => ({
    channel: undefined,
    inFlight: new Map(),
    waiting: [],
    waitingKeys: new Set()
  }))
  const refusals = Refusals.make(options.now)
  let headerLimit = HeaderTable.limitFor(Number.POSITIVE_INFINITY)
  const eventsExchange = Topology.events(options.namespace)
  const dead = Topology.deadExchange(options.namespace)
  let turn = 0

  const send: Sender["send"] = (message, done) => {
    const first = message.key === undefined ? turn++ % lanes.length : hash(message.key) % lanes.length
    const lane = lanes[first]
    if (lane?.channel === undefined) return done(noChannel)
    publish(lane, message, done)
  }

  const publish = (lane: Lane, message: Outgoing, done: (outcome: SendOutcome) => void): void => {
    const { exchange, routingKey } = target(message.to)
    const { body, headers, key, properties } = message
    // Behind a twin that waits, else it would overtake it.
    if (key !== undefined && lane.waitingKeys.size > 0 && lane.waitingKeys.has(key)) return wait(lane, message, done)
    const twin = lane.inFlight.get(properties.messageId)
    for (let other = twin; other !== undefined; other = other.next) {
      if (other.exchange === exchange && other.routingKey === routingKey) return wait(lane, message, done)
    }
    const { channel } = lane
    if (channel === undefined) return done(noChannel)
    // What would close the channel or the connection, and with it everybody's publishes.
    const fault = HeaderTable.fault(headers, headerLimit)
    if (fault !== undefined) return done(unfit(fault))
    const refusal = refusals.of(exchange, routingKey, body.length)
    if (refusal !== undefined) return done(refusal)
    const sent: Sent = { lane, id: properties.messageId, exchange, routingKey, done, returned: false, next: twin }
    const options: Options.Publish = {
      persistent: true,
      mandatory: true,
      contentType: properties.contentType,
      contentEncoding: "utf-8",
      messageId: properties.messageId,
      type: properties.type,
      timestamp: Math.floor(properties.timestamp / 1000),
      appId: properties.appId,
      ...(properties.correlationId !== undefined && { correlationId: properties.correlationId }),
      headers
    }
    lane.inFlight.set(sent.id, sent)
    try {
      channel.publish(exchange, routingKey, body, options, (error: unknown) => {
        forget(sent)
        // A nack is the one error that comes while the channel lives.
        if (error === null || error === undefined) done(sent.returned ? unrouted : routed)
        else
          done(
            lane.channel === channel && error instanceof Error && error.message === "message nacked" ? rejected : lost
          )
        if (lane.waiting.length > 0) release(lane)
      })
    } catch (error) {
      forget(sent)
      // Closed channels throw IllegalOperationError; all else is of values that the wire cannot carry, now and later.
      done(error instanceof Error && error.name !== "IllegalOperationError" ? notSendable(error) : noChannel)
    }
  }

  const forget = (sent: Sent): void => {
    const { id, lane } = sent
    const head = lane.inFlight.get(id)
    if (head === sent) {
      if (sent.next === undefined) lane.inFlight.delete(id)
      else lane.inFlight.set(id, sent.next)
      return
    }
    for (let other = head; other !== undefined; other = other.next) if (other.next === sent) other.next = sent.next
  }

  const wait = (lane: Lane, message: Outgoing, done: (outcome: SendOutcome) => void): void => {
    lane.waiting.push({ message, done })
    if (message.key !== undefined) lane.waitingKeys.add(message.key)
  }

  /** Takes all that waits, to be sent or answered in its order. */
  const takeWaiting = (lane: Lane): Lane["waiting"] => {
    const { waiting } = lane
    lane.waiting = []
    lane.waitingKeys.clear()
    return waiting
  }

  const release = (lane: Lane): void => {
    for (const { done, message } of takeWaiting(lane)) publish(lane, message, done)
  }

  const onReturn = (lane: Lane, exchange: string, routingKey: string, id: unknown): void => {
    for (let sent = lane.inFlight.get(String(id)); sent !== undefined; sent = sent.next) {
      if (sent.exchange === exchange && sent.routingKey === routingKey) sent.returned = true
    }
  }

  const target = (to: Address): { readonly exchange: string; readonly routingKey: string } => {
    switch (to._tag) {
      case "Event":
        return { exchange: eventsExchange, routingKey: to.name }
      case "DelayedEvent":
        return Ladder.entry(options.namespace, to.seconds, Ladder.toEvent(to.name))
      case "Subscriber":
        return Ladder.entry(options.namespace, to.seconds, Ladder.toSubscriber(to.name))
      case "DeadLetter":
        return { exchange: dead, routingKey: to.subscriber }
    }
  }

  /** One channel, from opening to loss; says what it was refused, if that is what it died of. */
  const openLane = Effect.fnUntraced(function* (lane: Lane, link: Link) {
    // Not closed apart from its connection: that would be one more wait on a line that hangs.
    const channel = yield* Effect.tryPromise({
      try: () => link.model.createConfirmChannel().then((made) => made.on("error", () => {})),
      catch: () => noChannelError
    }).pipe(Effect.timeoutOrElse({ duration: options.callMillis, orElse: () => Effect.fail(noChannelError) }))
    const ended = yield* Deferred.make<Refusals.Refusal | undefined>()
    let refusal: Refusals.Refusal | undefined
    channel.on("error", (error: unknown) => {
      refusal = Refusals.read(error)
      // Before anybody sends again. What is missing may be declared again.
      if (refusal !== undefined && refusal._tag !== "Missing") refusals.learn(refusal, link.username)
    })
    channel.on("return", ({ fields, properties }) =>
      onReturn(lane, fields.exchange, fields.routingKey, properties.messageId)
    )
    // Before amqplib's own listener answers what was open: no callback may find a dead channel here.
    channel.prependOnceListener("close", () => {
      if (lane.channel !== channel) return
      lane.channel = undefined
      const waiting = takeWaiting(lane)
      // amqplib answers what was sent first; twins were not sent.
      queueMicrotask(() => {
        for (const { done } of waiting) done(noChannel)
        Deferred.doneUnsafe(ended, Exit.succeed(refusal))
      })
    })
    lane.channel = channel
    return ended
  })

  return {
    send,
    channels: () => lanes.filter(({ channel }) => channel !== undefined).length,
    open: (link) =>
      Effect.gen(function* () {
        refusals.forget()
        headerLimit = HeaderTable.limitFor(link.frameMax)
        for (const lane of lanes) {
          let ended = yield* openLane(lane, link)
          yield* Effect.gen(function* () {
            for (;;) {
              const refusal = yield* Deferred.await(ended)
              if (refusal?._tag === "Missing") {
                const repaired = yield* Effect.exit(options.repair(link))
                if (Exit.isFailure(repaired)) refusals.learn(refusal, link.username)
              }
              yield* Effect.sleep("20 millis")
              // Until the connection is gone, which ends this scope: a lane given up would fail its keys for good.
              ended = yield* Effect.retry(openLane(lane, link), Schedule.spaced("200 millis"))
            }
          }).pipe(Effect.forkScoped)
        }
      })
  }
}

const noChannelError = new BrokerError({ reason: new ConnectionFailed({ address: "RabbitMQ", detail: "no channel" }) })
const noChannel: SendOutcome = { _tag: "NotSent", error: noChannelError }

const unfit = (detail: string): SendOutcome => ({
  _tag: "NotSent",
  error: new BrokerError({ reason: new BrokerRefused({ operation: "publish", detail }) })
})

const notSendable = (error: Error): SendOutcome =>
  unfit(
    error instanceof RangeError
      ? "its headers are too large for a frame"
      : "one of its properties is too long or of a wrong type"
  )

/** FNV-1a. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
