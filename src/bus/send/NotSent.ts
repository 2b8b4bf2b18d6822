/**
 * Why a message that was not sent is given up: the reason in its publisher's error.
 */
import type { BrokerStatus } from "../port/Broker.ts"
import { type BrokerReason, Closed, ConnectionFailed } from "../port/BrokerReason.ts"
import { rejected } from "../port/SendOutcome.ts"
import type { InFlightLimit } from "./InFlightLimit.ts"
import * as PublishReason from "./PublishReason.ts"
import type { Shipment } from "./Shipment.ts"

/** Of one that is past its deadline. */
export const reasonOf = (
  past: {
    readonly rejected: boolean
    /** Why it could not be sent the last time. */
    readonly refusal: BrokerReason | undefined
  },
  /** Whether it waits at the in-flight limit. */
  waiting: boolean,
  status: BrokerStatus,
  limit: InFlightLimit
): PublishReason.PublishReason => {
  // It was sent: other queues of a fan-out may have it, whatever stood in its way since.
  if (past.rejected) return rejected
  if (status._tag === "Closed" || limit.phase() === "shut")
    return new PublishReason.Unavailable({ cause: new Closed() })
  if (status._tag === "Connecting") {
    return new PublishReason.Unavailable({
      cause: status.error?.reason ?? new ConnectionFailed({ address: "the broker", detail: "not connected" })
    })
  }
  if (status._tag === "Blocked") {
    return new PublishReason.Overloaded({ detail: `the broker blocks publishers (${status.detail})` })
  }
  if (waiting) {
    return new PublishReason.Overloaded({
      detail: `${limit.inFlight()} events with ${limit.bytes()} bytes are in flight and did not make room in time`
    })
  }
  return new PublishReason.Unavailable({
    cause: past.refusal ?? new ConnectionFailed({ address: "the broker", detail: "no channel" })
  })
}

/** What a refusal means for its publisher if sending it again would not help. */
export const finalReason = (
  { endsWhenDenied }: Shipment,
  reason: BrokerReason
): PublishReason.Invalid | PublishReason.Denied | undefined => {
  switch (reason._tag) {
    case "Refused":
    case "Settings":
      return new PublishReason.Invalid({ faults: [{ path: "", expected: reason.message }] })
    case "Permission":
      return endsWhenDenied ? new PublishReason.Denied({ by: "broker", detail: reason.message }) : undefined
    default:
      return undefined
  }
}
