/**
 * A publisher of another make: sends bytes of its own straight to the exchange, over a connection of its
 * own. It tries until the broker has confirmed, with the same id.
 */
import { type ChannelModel, type ConfirmChannel, connect } from "amqplib"
import { setTimeout as delay } from "node:timers/promises"
import type { Step } from "./Contract.ts"

export interface ForeignPublisher {
  /** "Confirmed", "Unknown" when some of it was sent, or "Unavailable". */
  readonly send: (id: string, body: Buffer) => Promise<"Confirmed" | "Unknown" | "Unavailable">
  readonly close: () => Promise<void>
}

export const bodyOf = (id: string, step: Step): Buffer => {
  const { pad: _, ...data } = step
  const event = (schema: string, payload: unknown): string =>
    JSON.stringify({
      specversion: "1.0",
      id,
      source: "foreign",
      type: "chaos.step",
      time: "2026-01-01T00:00:00Z",
      subject: step.key,
      datacontenttype: "application/json",
      dataschema: schema,
      data: payload
    })
  switch (step.kind) {
    case "bad-json":
      return Buffer.from(`{"specversion":"1.0","id":"${id}","data":{"key":`)
    case "wrong-schema":
      return Buffer.from(event("urn:event:chaos.step:2", { key: step.key, seq: "not a number" }))
    case "bad-version":
      return Buffer.from(event("urn:event:chaos.step:newest", data))
    case "deep":
      return Buffer.from(event("urn:event:chaos.step:1", data).replace('"data":', `"deep":${nested(100)},"data":`))
    default:
      return Buffer.from(event("urn:event:chaos.step:1", data))
  }
}

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth)

export const foreignPublisher = (url: string, exchange: string, deadlineMillis: number): ForeignPublisher => {
  let model: ChannelModel | undefined
  let channel: Promise<ConfirmChannel> | undefined
  const forget = (): void => {
    channel = undefined
    model = undefined
  }
  const open = async (): Promise<ConfirmChannel> => {
    const made = await connect(`${url}?heartbeat=2`, { timeout: 3000, noDelay: true })
    model = made
    made.on("error", () => {})
    made.on("close", forget)
    const confirming = await made.createConfirmChannel()
    confirming.on("error", () => {})
    return confirming
  }
  const once = async (id: string, body: Buffer): Promise<"Confirmed" | "Lost" | "NotSent"> => {
    try {
      const ready = await (channel ??= open().catch((error: unknown) => {
        forget()
        throw error
      }))
      return await new Promise((resolve) => {
        ready.publish(
          exchange,
          "chaos.step",
          body,
          { messageId: id, type: "chaos.step", persistent: true, mandatory: true },
          (error: unknown) => resolve(error === null || error === undefined ? "Confirmed" : "Lost")
        )
      })
    } catch {
      return "NotSent"
    }
  }
  return {
    send: async (id, body) => {
      const end = performance.now() + deadlineMillis
      let sent = false
      while (performance.now() < end) {
        const late = delay(Math.max(1, end - performance.now()), "Lost" as const, { ref: false })
        const answer = await Promise.race([once(id, body), late])
        if (answer === "Confirmed") return answer
        sent ||= answer === "Lost"
        await delay(100)
      }
      return sent ? "Unknown" : "Unavailable"
    },
    close: async () => {
      const open = model
      forget()
      await Promise.race([open?.close().catch(() => {}), delay(500, undefined, { ref: false })])
    }
  }
}
