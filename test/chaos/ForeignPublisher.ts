/**
 * A publisher without the library: sends its own bytes straight to the exchange, over its own connection. It
 * retries with the same id until the broker has confirmed.
 */
import { type ChannelModel, type ConfirmChannel, connect, type Options } from "amqplib"
import { setTimeout as delay } from "node:timers/promises"
import type { Step } from "./Events.ts"

export interface ForeignPublisher {
  /** "Confirmed", "Unknown" when some of it was sent, or "Unavailable". */
  readonly send: (message: ForeignMessage) => Promise<"Confirmed" | "Unknown" | "Unavailable">
  readonly close: () => Promise<void>
}

export interface ForeignMessage {
  /** Name of the event, which is the routing key. */
  readonly type: string
  readonly body: Buffer
  readonly properties: Options.Publish
}

/** The message of an event of this source; the same event always has the same message. */
export const messageOf = (source: string, id: string, step: Step): ForeignMessage => {
  const { pad: _, ...version1 } = step
  const event = (schema: string, payload: unknown, subject?: string): string =>
    JSON.stringify({
      specversion: "1.0",
      id,
      source,
      type,
      time,
      ...(subject !== undefined && { subject }),
      datacontenttype: "application/json",
      dataschema: schema,
      data: payload
    })
  const ofVersion1 = event(schemaOf("1"), version1, step.key)
  const properties = { messageId: id, type }
  const structured = (body: string): ForeignMessage => ({ type, body: Buffer.from(body), properties })
  switch (step.kind) {
    case "without-subject":
      return structured(event(schemaOf("2"), step))
    case "other-subject":
      return structured(event(schemaOf("2"), step, `${step.key}/${step.seq}`))
    case "plain-json":
      return { type, body: Buffer.from(JSON.stringify(step)), properties: { ...properties, appId: source } }
    case "binary-mode":
      return {
        type,
        body: Buffer.from(JSON.stringify(step)),
        properties: {
          contentType: "application/json",
          headers: {
            "cloudEvents:specversion": "1.0",
            "cloudEvents:id": id,
            "cloudEvents:source": source,
            "cloudEvents:type": type,
            "cloudEvents:time": time
          }
        }
      }
    case "bad-json":
      return structured(`{"specversion":"1.0","id":"${id}","source":"${source}","data":{"key":`)
    case "wrong-schema":
      return structured(event(schemaOf("2"), { key: step.key, seq: "not a number" }, step.key))
    case "bad-version":
      return structured(event(schemaOf("newest"), version1, step.key))
    case "deep":
      return structured(ofVersion1.replace('"data":', `"deep":${nested(100)},"data":`))
    default:
      return structured(ofVersion1)
  }
}

const type = "chaos.step"
const time = "2026-01-01T00:00:00Z"
const schemaOf = (version: string): string => `urn:event:${type}:${version}`

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth)

export const foreignPublisher = (url: string, exchange: string, deadlineMillis: number): ForeignPublisher => {
  const servers = url.split(",")
  let dials = 0
  let model: ChannelModel | undefined
  let channel: Promise<ConfirmChannel> | undefined
  const forget = (): void => {
    channel = undefined
    model = undefined
  }
  const open = async (): Promise<ConfirmChannel> => {
    const made = await connect(`${servers[dials++ % servers.length]}?heartbeat=2`, { timeout: 3000, noDelay: true })
    model = made
    made.on("error", () => {})
    made.on("close", () => {
      if (model === made) forget()
    })
    const confirming = await made.createConfirmChannel()
    confirming.on("error", () => {})
    // A user without rights loses its channel alone.
    confirming.on("close", () => void made.close().catch(forget))
    return confirming
  }
  const once = async ({ body, properties, type }: ForeignMessage): Promise<"Confirmed" | "Lost" | "NotSent"> => {
    try {
      const ready = await (channel ??= open().catch((error: unknown) => {
        forget()
        throw error
      }))
      return await new Promise((resolve) => {
        ready.publish(exchange, type, body, { ...properties, persistent: true, mandatory: true }, (error: unknown) =>
          resolve(error === null || error === undefined ? "Confirmed" : "Lost")
        )
      })
    } catch {
      return "NotSent"
    }
  }
  return {
    send: async (message) => {
      const end = performance.now() + deadlineMillis
      let sent = false
      while (performance.now() < end) {
        const late = delay(Math.max(1, end - performance.now()), "Lost" as const, { ref: false })
        const answer = await Promise.race([once(message), late])
        if (answer === "Confirmed") return answer
        sent ||= answer === "Lost"
        await delay(100)
      }
      // RabbitMQ lets a channel wait for 65 seconds for a leader that was away when it sent its first message.
      void model?.close().catch(() => {})
      forget()
      return sent ? "Unknown" : "Unavailable"
    },
    close: async () => {
      const open = model
      forget()
      await Promise.race([open?.close().catch(() => {}), delay(500, undefined, { ref: false })])
    }
  }
}
