/**
 * Why a message that is past its deadline was never sent: the reason that its publisher is told (P2).
 */
import type { BrokerStatus } from "./Broker.ts"
import { type BrokerReason, Closed, ConnectionFailed } from "./BrokerError.ts"
import * as BusError from "./BusError.ts"
import type { Door } from "./Door.ts"

export const of = (
  past: {
    readonly rejected: boolean
    /** What the broker or its client said the last time. */
    readonly refusal: BrokerReason | undefined
  },
  /** Whether it stands at the door. */
  waiting: boolean,
  status: BrokerStatus,
  door: Door
): BusError.PublishReason => {
  // It was sent: other queues of a fan-out may have it, whatever stood in its way since.
  if (past.rejected) return new BusError.Rejected()
  if (status._tag === "Closed" || door.phase() === "shut") return new BusError.Unavailable({ cause: new Closed() })
  if (status._tag === "Connecting") {
    return new BusError.Unavailable({
      cause: status.error?.reason ?? new ConnectionFailed({ address: "the broker", detail: "not connected" })
    })
  }
  if (status._tag === "Blocked") {
    return new BusError.Overloaded({ detail: `the broker blocks publishers (${status.detail})` })
  }
  if (waiting) {
    return new BusError.Overloaded({
      detail: `${door.inFlight()} events with ${door.bytes()} bytes are in flight and did not make room in time`
    })
  }
  return new BusError.Unavailable({
    cause: past.refusal ?? new ConnectionFailed({ address: "the broker", detail: "no channel" })
  })
}
