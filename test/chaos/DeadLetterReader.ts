/** The dead letters of a group, read by hand: what is in the queue, whatever the library reports. */
import type { Channel, ConsumeMessage } from "amqplib"
import { setTimeout as delay } from "node:timers/promises"
import type { Deployment } from "./Deployment.ts"
import { nameOf } from "./Events.ts"
import { now } from "./Journal.ts"

export interface RawDeadLetter {
  /** The name of the event. */
  readonly event: string
  readonly subscriber: string
  /** Of a letter that the broker made: `delivery_limit` or `ofBroker`. */
  readonly reason: string
  readonly tag: string
  readonly attempts: number
  /** Attempts of its history that missed the deadline. */
  readonly timeouts: number
  /** Its history, as it is written on the letter; of a letter that the broker made, all that says where it comes from. */
  readonly failures: string
  readonly firstFailure: number
  readonly lastFailure: number
  readonly host: string
  readonly library: string
  readonly body: Buffer
}

/** A process may not write dead letters, and rejected the event. */
export const ofBroker = "made by the broker"

/** Reads all and returns all to the queue. */
export const readDeadLetters = (
  { namespace, observe }: Deployment,
  group: string
): Promise<ReadonlyArray<RawDeadLetter>> =>
  observe(async (channel: Channel) => {
    const letters: Array<RawDeadLetter> = []
    for (;;) {
      const message = await channel.get(`${namespace}.dead.${group}`)
      if (message === false) return letters
      const { headers = {} } = message.properties
      const text = (name: string): string => String(headers[name] ?? "")
      const isOfBroker = headers["bus-reason"] === undefined
      const crashed = isOfBroker && headers["x-first-death-reason"] === "delivery_limit"
      letters.push({
        event: eventOf(message),
        subscriber: text("bus-subscriber"),
        // An event that was retried died first on the ladder: that says nothing of its end.
        reason: crashed ? "delivery_limit" : isOfBroker ? ofBroker : text("bus-reason"),
        tag: text("bus-error-tag"),
        attempts: Number(headers["bus-attempts"]),
        timeouts: text("bus-failures").split('"HandlerTimeout"').length - 1,
        failures: isOfBroker ? JSON.stringify({ ...message.properties, ...message.fields }) : text("bus-failures"),
        firstFailure: Number(headers["bus-first-failure"]),
        lastFailure: Number(headers["bus-last-failure"]),
        host: text("bus-host"),
        library: text("bus-library"),
        body: message.content
      })
    }
  })

const waitMillis = 5000

/** The names of the events that are in a queue without a consumer, which keeps them. */
export const eventsIn = ({ observe }: Deployment, queue: string): Promise<ReadonlyArray<string>> =>
  observe(async (channel: Channel) => {
    const events: Array<string> = []
    const { messageCount } = await channel.checkQueue(queue)
    if (messageCount === 0) return events
    // A queue with a single active consumer cannot be asked for one message.
    await channel.consume(queue, (message) => void (message !== null && events.push(eventOf(message))))
    for (const end = now() + waitMillis; events.length < messageCount && now() < end;) await delay(20)
    return events
  })

/** Some bodies are not JSON, and some events have their source in a property or header. */
const eventOf = ({ content, properties }: Pick<ConsumeMessage, "content" | "properties">): string => {
  const source = /"source":"([^"]*)"/.exec(content.toString("latin1", 0, 4096))?.[1]
  const text = (name: string): string => String(properties.headers?.[`cloudEvents:${name}`] ?? "")
  return nameOf(source ?? properties.appId ?? text("source"), properties.messageId ?? text("id"))
}
