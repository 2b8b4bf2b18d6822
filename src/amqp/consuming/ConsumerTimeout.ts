/**
 * RabbitMQ takes back what a consumer holds for longer than its consumer timeout, 30 minutes by default. From 4.3 on a
 * consumer of a quorum queue may ask for another one. There the next consumer is active at once, while the handlers of the
 * first one still run: the order of a key would be lost (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
 */
import type { Channel } from "amqplib"
import * as Predicate from "effect/Predicate"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { ConsumerTimeout } from "../../bus/port/BrokerReason.ts"
import type { Link } from "../connection/Link.ts"
import * as ServerVersion from "../connection/ServerVersion.ts"

const dayMillis = 24 * 60 * 60 * 1000

/** Longer than a handler's deadline with a whole window before it. */
export const ofSubscribers = dayMillis
/** A replay at a low rate holds its last dead letters for as long as it takes. */
export const ofLetters = 7 * dayMillis

export const none: Readonly<Record<string, number>> = {}

/** The arguments of a consumer of a quorum queue that holds deliveries for up to this long. */
export const argumentsFor = (link: Link, millis: number): Readonly<Record<string, number>> =>
  ServerVersion.takesConsumerTimeout(link) ? { "x-consumer-timeout": millis } : none

/** Whether a consumer was refused for its arguments: a queue of another kind, declared by others, does not take them. */
export const isRefused = (error: unknown): boolean => Predicate.hasProperty(error, "code") && error.code === 406

/** Tells what to call a channel's end: a consumer timeout by its name, everything else by `other`. */
export const watch = (channel: Channel, queue: string, other: BrokerError): (() => BrokerError) => {
  let error = other
  channel.once("error", ({ message }: Error) => {
    const [found, millis] = /timed out\. Timeout value used: (\d+) ms/.exec(message) ?? []
    if (found !== undefined) error = new BrokerError({ reason: new ConsumerTimeout({ queue, millis: Number(millis) }) })
  })
  return () => error
}
