/** Shipments on their way through the outbox, from their coming to their outcome. */
import type { BrokerReason } from "./BrokerError.ts"
import type { Waiter } from "./Door.ts"
import type { Shipment } from "./Outbox.ts"

export type State = "waiting" | "stalled" | "sent" | "abandoned" | "done"

/** A shipment on its way. */
export class Entry implements Waiter {
  readonly shipment: Shipment
  readonly sequence: number
  readonly bytes: number
  readonly privileged: boolean
  private readonly start: (entry: Entry) => void
  state: State = "waiting"
  /** Its publisher was interrupted while the answer was open. */
  withdrawn = false
  sends = 0
  /** An answer was lost: from here on it is Confirmed or Unknown (P2). */
  unresolved = false
  rejected = false
  /** Why it could not be sent the last time. */
  refusal: BrokerReason | undefined = undefined
  /** Its neighbours among those on their way. */
  before: Entry | undefined = undefined
  after: Entry | undefined = undefined

  constructor(shipment: Shipment, sequence: number, start: (entry: Entry) => void) {
    this.shipment = shipment
    this.sequence = sequence
    this.bytes = shipment.bytes
    this.privileged = shipment.privileged
    this.start = start
  }

  admit(): void {
    this.start(this)
  }
}

/**
 * Those on their way, in order. Linked to each other and not in a table, and cut off from it when they leave: what is
 * dead holds nothing that came later, which the garbage collector would have to keep (see `Population`).
 */
export const chain = () => {
  let first: Entry | undefined
  let last: Entry | undefined
  let size = 0
  return {
    size: (): number => size,
    add: (entry: Entry): void => {
      size++
      entry.before = last
      if (last === undefined) first = entry
      else last.after = entry
      last = entry
    },
    delete: (entry: Entry): void => {
      const { after, before } = entry
      if (before === undefined && first !== entry) return
      size--
      if (before === undefined) first = after
      else before.after = after
      if (after === undefined) last = before
      else after.before = before
      entry.before = entry.after = undefined
    },
    /** Those who are there now: who is looked at may bring others to their end. */
    all: (): ReadonlyArray<Entry> => {
      const all: Array<Entry> = []
      for (let entry = first; entry !== undefined; entry = entry.after) all.push(entry)
      return all
    }
  }
}
