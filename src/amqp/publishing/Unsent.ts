/** Outcomes of messages that no queue has. */
import type { Address, SendOutcome } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused, TopologyMissing } from "../../bus/port/BrokerReason.ts"
import { notSent, unrouted } from "../../bus/port/SendOutcome.ts"

/** A delayed event that came back reached no level of the ladder: nobody was asked yet whether it is wanted. */
export const unroutedAt = (to: Address, exchange: string): SendOutcome =>
  to._tag === "DelayedEvent" ? notSent(levelMissing(exchange)) : unrouted

const levelMissing = (name: string): BrokerError =>
  new BrokerError({
    reason: new TopologyMissing({
      entity: `queue ${name}`,
      remedy: "a level of the delay ladder was deleted: it is declared again by whoever may"
    })
  })

export const unfit = (detail: string): SendOutcome =>
  notSent(new BrokerError({ reason: new BrokerRefused({ operation: "publish", detail }) }))

export const notSendable = (error: Error): SendOutcome =>
  unfit(
    error instanceof RangeError
      ? "its headers are too large for a frame: shorten them"
      : "one of its properties is of a wrong type, or longer than 255 bytes: shorten it"
  )
