/**
 * Shipments that have to be sent again, by key and in the order of their submission: a newer event of a key
 * waits behind an older one. Shipments without a key share the queue of "" and hold up nothing.
 *
 * Where order is kept through a rejection, the shipments of the key are sent one at a time, each when the one before it
 * was answered, until none is left.
 */
import type { Shipment } from "./Shipment.ts"

const noKey = ""

export class StalledShipments {
  private readonly queues = new Map<string, Array<Shipment>>()
  /** The one that was sent last of a key whose shipments are sent one at a time. */
  private readonly alone = new Map<string, Shipment>()

  /** Whether a shipment of this key has to wait behind another one. */
  holds(key: string | undefined): boolean {
    if (key === undefined) return false
    return (this.queues.size > 0 && this.queues.has(key)) || (this.alone.size > 0 && this.alone.has(key))
  }

  add(shipment: Shipment): void {
    const key = shipment.message.key ?? noKey
    const queue = this.queues.get(key)
    if (queue === undefined) {
      this.queues.set(key, [shipment])
      return
    }
    let at = queue.length
    while (at > 0 && (queue[at - 1]?.sequence ?? 0) > shipment.sequence) at--
    queue.splice(at, 0, shipment)
  }

  delete(shipment: Shipment): void {
    const key = shipment.message.key ?? noKey
    const queue = this.queues.get(key)
    // In place: `sendAgain` goes through this very array.
    if (queue?.includes(shipment) === true) queue.splice(queue.indexOf(shipment), 1)
    if (queue?.length === 0) this.queues.delete(key)
  }

  /** The sends of the shipment that was sent least often. */
  leastSends(): number {
    let sends = Number.POSITIVE_INFINITY
    for (const queue of this.queues.values()) for (const shipment of queue) sends = Math.min(sends, shipment.sends)
    return sends
  }

  /** Sends each again until one of its key stalls within the call, and returns how many were sent. */
  sendAgain(send: (shipment: Shipment) => void): number {
    let count = 0
    for (const [key, queue] of Array.from(this.queues)) {
      if (key !== noKey && (this.alone.has(key) || queue.some(keepsOrder))) {
        if (!this.alone.has(key)) count += this.sendNext(key, send)
        continue
      }
      // With a key the queue stays while it empties: newcomers stall behind what is left of it.
      if (key === noKey) this.queues.delete(key)
      for (let shipment = queue.shift(); shipment !== undefined; shipment = queue.shift()) {
        if (shipment.state !== "stalled") continue
        count++
        send(shipment)
        if (isStalled(shipment) && key !== noKey) break
      }
      if (key !== noKey && queue.length === 0) this.queues.delete(key)
    }
    return count
  }

  /** A shipment was answered. Returns whether the next of its key is to be sent by `sendNext`. */
  endAlone(shipment: Shipment): boolean {
    if (this.alone.size === 0) return false
    const key = shipment.message.key ?? noKey
    return this.alone.get(key) === shipment && this.alone.delete(key)
  }

  /** Sends one shipment of this key, if any is left. Returns how many were sent. */
  sendNext(key: string, send: (shipment: Shipment) => void): number {
    const queue = this.queues.get(key) ?? []
    let shipment = queue.shift()
    while (shipment !== undefined && !isStalled(shipment)) shipment = queue.shift()
    if (queue.length === 0) this.queues.delete(key)
    if (shipment === undefined) return 0
    this.alone.set(key, shipment)
    send(shipment)
    return 1
  }
}

const keepsOrder = (shipment: Shipment): boolean => shipment.rejected && shipment.keepsOrder

/** A function, because the compiler does not know that `send` changes the state. */
const isStalled = ({ state }: Shipment): boolean => state === "stalled"
