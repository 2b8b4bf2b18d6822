/** The dead letters of a group, read by hand: what is in the queue, not what the library says of it. */
import type { Channel } from "amqplib"
import type { Stage } from "./Stage.ts"

export interface Letter {
  readonly eventId: string
  readonly subscriber: string
  /** `delivery_limit` when the broker put it here. */
  readonly reason: string
  readonly tag: string
  readonly attempts: number
  readonly firstFailure: number
  readonly lastFailure: number
  readonly host: string
  readonly library: string
  readonly body: Buffer
}

/** Looks and gives everything back. */
export const readLetters = ({ namespace, observe }: Stage, group: string): Promise<ReadonlyArray<Letter>> =>
  observe(async (channel: Channel) => {
    const letters: Array<Letter> = []
    for (;;) {
      const message = await channel.get(`${namespace}.dead.${group}`)
      if (message === false) return letters
      const { headers = {}, messageId } = message.properties
      const text = (name: string): string => String(headers[name] ?? "")
      const crashed = headers["bus-reason"] === undefined && headers["x-first-death-reason"] === "delivery_limit"
      letters.push({
        eventId: String(messageId ?? ""),
        subscriber: text("bus-subscriber"),
        reason: crashed ? "delivery_limit" : text("bus-reason"),
        tag: text("bus-error-tag"),
        attempts: Number(headers["bus-attempts"]),
        firstFailure: Number(headers["bus-first-failure"]),
        lastFailure: Number(headers["bus-last-failure"]),
        host: text("bus-host"),
        library: text("bus-library"),
        body: message.content
      })
    }
  })
