/** A client as the embedded broker knows it. */
import type { BrokerStatus } from "../bus/port/Broker.ts"
import type { BrokerError } from "../bus/port/BrokerError.ts"

export interface Peer {
  /** The name of the client; several may share one. */
  readonly name: string
  readonly namespace: string
  /** Called with its new status, and with the error of everything it tries until the next one, if there is one. */
  readonly onStatus: (status: BrokerStatus, fault: BrokerError | undefined) => void
}

/** What happens to the sends that have no answer yet when the connection is cut. */
export type CutOff = "stored" | "not-stored"
