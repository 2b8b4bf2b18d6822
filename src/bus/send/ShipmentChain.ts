/**
 * All shipments in flight, in the order of their submission. They are linked to each other and not kept in a
 * table, and a shipment is cut off when it leaves: a dead one then holds nothing that came later, which the
 * garbage collector would have to keep (see `RenewedSet`).
 */
import type { Shipment } from "./Shipment.ts"

export class ShipmentChain {
  private first: Shipment | undefined = undefined
  private last: Shipment | undefined = undefined
  private count = 0

  get size(): number {
    return this.count
  }

  add(shipment: Shipment): void {
    this.count++
    shipment.before = this.last
    if (this.last === undefined) this.first = shipment
    else this.last.after = shipment
    this.last = shipment
  }

  /** Does nothing when the shipment has left already. */
  delete(shipment: Shipment): void {
    const { after, before } = shipment
    if (before === undefined && this.first !== shipment) return
    this.count--
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    shipment.before = shipment.after = undefined
  }

  /** A snapshot: ending one shipment may end others. */
  all(): ReadonlyArray<Shipment> {
    const all: Array<Shipment> = []
    for (let shipment = this.first; shipment !== undefined; shipment = shipment.after) all.push(shipment)
    return all
  }
}
