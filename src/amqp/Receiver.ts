/**
 * Consumes one queue on a channel of its own. A delivery belongs to that channel: it is settled there
 * or not at all. Nothing is ever nacked: what is unsettled goes back, in order, when the channel
 * closes.
 */
import type { Channel, ConsumeMessage, Message, MessageProperties } from "amqplib"
import { Effect, Exit, type Scope } from "effect"
import { hostname } from "node:os"
import type { Consumer, ConsumeOptions, Delivery } from "../bus/Broker.ts"
import { BrokerError, BrokerRefused, ConnectionFailed } from "../bus/BrokerError.ts"
import * as AckTable from "./AckTable.ts"
import { bounded, type Link } from "./Connection.ts"
import * as Deliveries from "./Deliveries.ts"
import * as HeaderTable from "./HeaderTable.ts"
import * as Route from "./Route.ts"

/** What happened to acknowledgements. */
export interface AckCounters {
  acked: number
  /** Acknowledged twice, or after the channel was gone: dropped. */
  late: number
}

const closeMillis = 2000

/**
 * An acknowledgement is a command to every replica of the queue, so it leaves when this share of the window is
 * settled, and after so many milliseconds at the latest. The window never runs dry for it.
 */
const ackShare = 1 / 4
const ackMillis = 1

export interface Reception extends Omit<ConsumeOptions, "subscriber" | "queue"> {
  readonly namespace: string
  readonly queue: string
  readonly tag: string
  readonly counters: AckCounters
  readonly call: <A>(operation: string, entity: string, run: () => Promise<A>) => Effect.Effect<A, BrokerError>
}

/** A fresh channel with an error listener: without one an error of the channel closes the connection. */
export const openChannel = (
  link: Link,
  call: Reception["call"],
  beforeClose: () => void = () => {}
): Effect.Effect<Channel, BrokerError, Scope.Scope> =>
  Effect.suspend(() => {
    let opened: Channel | undefined
    let late = false
    /** Nobody waits for it any more, and the connection would keep it. */
    const discard = (): void => {
      late = true
      opened?.close().catch(() => {})
    }
    const opening = async (): Promise<Channel> => {
      opened = await link.model.createChannel()
      opened.on("error", () => {})
      if (late) discard()
      return opened
    }
    return Effect.acquireRelease(
      // Interruptible: who closes meanwhile does not wait for a broker that hangs.
      Effect.onExit(call("opening a channel", "a channel", opening), (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.sync(discard)
      ),
      (channel) => {
        beforeClose()
        return bounded(() => channel.close(), closeMillis)
      },
      { interruptible: true }
    )
  })

export const consume = (
  link: Link,
  { call, counters, namespace, onDelivery, onLost, prefetch, queue, tag }: Reception
): Effect.Effect<Consumer, BrokerError, Scope.Scope> =>
  Effect.gen(function* () {
    let gone = false
    let scheduled = false
    const isGone = (): boolean => gone
    const read = reader(namespace)
    const channel = yield* openChannel(link, call, () => {
      flush()
      gone = true
    })
    const table = AckTable.make((deliveryTag, upTo) => {
      counters.acked++
      // amqplib reads nothing but the tag of the message.
      channel.ack({ fields: { deliveryTag } } as Message, upTo)
    })
    let unsent = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    function flush(): void {
      scheduled = false
      unsent = 0
      clearTimeout(timer)
      timer = undefined
      if (gone) return
      try {
        table.flush()
      } catch {
        // The channel closed within this turn: its 'close' follows, and everything comes back.
        gone = true
      }
    }
    const lose = (error: BrokerError): void => {
      if (gone) return
      gone = true
      onLost(error)
    }
    channel.once("close", () =>
      lose(
        new BrokerError({
          reason: new ConnectionFailed({ address: link.address, detail: "the consumer's channel was closed" })
        })
      )
    )
    yield* call("setting the prefetch", `queue ${queue}`, () => channel.prefetch(prefetch))
    const enough = prefetch * ackShare
    const settle = (deliveryTag: number): void => {
      if (gone || !table.settle(deliveryTag)) {
        counters.late++
        return
      }
      if (scheduled) return
      if (++unsent >= enough) {
        scheduled = true
        setImmediate(flush)
      } else timer ??= setTimeout(flush, ackMillis)
    }
    const deliver = (message: ConsumeMessage | null): void => {
      if (message === null) {
        return lose(
          new BrokerError({
            reason: new BrokerRefused({
              operation: `consuming queue ${queue}`,
              detail:
                "the broker cancelled the consumer: its queue was deleted, or has no majority. It is declared and consumed again"
            })
          })
        )
      }
      take(received(message))
    }
    const take = (message: Deliveries.Message): void => {
      const { deliveryTag } = message
      table.delivered(deliveryTag)
      onDelivery(read(message, () => settle(deliveryTag), isGone))
    }
    Deliveries.hear(channel, take)
    yield* call("consuming", `queue ${queue}`, () => channel.consume(queue, deliver, { consumerTag: tag }))
    return {
      cancel: Effect.suspend(() =>
        gone ? Effect.void : call("cancelling", `queue ${queue}`, () => channel.cancel(tag))
      ).pipe(Effect.asVoid)
    }
  })

/** A queue that is gone with its connection, or with its consumer. */
export const ownQueue = {
  exclusive: true,
  autoDelete: true,
  durable: false,
  arguments: { "x-queue-type": "classic" }
}

export const consumerTag = (subscriber: string, epoch: number, count: number): string =>
  `${subscriber.slice(0, 180)}@${hostname().slice(0, 40)}:${process.pid}#${epoch}.${count}`

/** What amqplib brings, read defensively: header tables are the senders'. */
export const received = ({ content, fields, properties }: Message): Deliveries.Message => ({
  deliveryTag: fields.deliveryTag,
  redelivered: fields.redelivered,
  exchange: fields.exchange,
  routingKey: fields.routingKey,
  body: content,
  properties: {
    messageId: text(properties.messageId),
    type: text(properties.type),
    timestamp: typeof properties.timestamp === "number" ? Deliveries.millisOf(properties.timestamp) : undefined,
    appId: text(properties.appId),
    correlationId: text(properties.correlationId),
    contentType: text(properties.contentType)
  },
  headers: ownHeaders(properties)
})

/** Makes deliveries of what was received. */
export const reader = (namespace: string) => {
  const origin = Route.origin(namespace)
  return (message: Deliveries.Message, ack: () => void, lost: () => boolean): Delivery => {
    const { body, exchange, headers, properties, redelivered, routingKey } = message
    const count = headers["x-delivery-count"]
    const destination = origin(exchange, routingKey)
    return {
      body,
      properties,
      headers,
      trusted: destination?.kind === "subscriber",
      recipient: destination?.kind === "subscriber" ? destination.name : undefined,
      redelivered,
      // Publishers can send this header: it is the broker's own only on what came back.
      deliveryCount: redelivered && typeof count === "number" ? count : 0,
      routingKey: destination === undefined ? routingKey : destination.kind === "event" ? destination.name : "",
      ack,
      lost
    }
  }
}

const ownHeaders = ({ headers }: MessageProperties): Readonly<Record<string, unknown>> => {
  if (typeof headers !== "object" || headers === null) return HeaderTable.none
  const keys = Object.keys(headers)
  if (keys.length === 0) return HeaderTable.none
  const own: Record<string, unknown> = Object.create(null)
  for (const key of keys) if (key !== "__proto__") own[key] = headers[key]
  return own
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" ? Deliveries.shortText(value) : undefined
