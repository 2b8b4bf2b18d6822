/** The consumers and readers that one client of the embedded broker has open: they end with its connection. */
import type { BrokerError } from "../bus/port/BrokerError.ts"

export interface OpenPart {
  /** Gives back what it holds; from then on it settles nothing. */
  readonly end: () => void
  /** Called after the end, when the connection was lost. */
  readonly onLost: (error: BrokerError) => void
}

export class Session {
  private readonly parts = new Set<OpenPart>()
  private late = 0

  add(part: OpenPart): void {
    this.parts.add(part)
  }

  delete(part: OpenPart): void {
    this.parts.delete(part)
  }

  lose(error: BrokerError): void {
    // All of them end before the first is notified: a reaction must not settle what another one held.
    const lost = [...this.parts]
    for (const part of lost) part.end()
    for (const part of lost) part.onLost(error)
  }

  /** Counts an acknowledgement that settled nothing: it came twice, or after the end. */
  acknowledged(isSettled: boolean): void {
    if (!isSettled) this.late++
  }

  lateAcknowledgements(): number {
    return this.late
  }
}
