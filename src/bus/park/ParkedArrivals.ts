/**
 * Deliveries of the parked queue as they arrive: each takes its place in its lane. While the queue is loaded,
 * nothing is placed, since the head of a key may be the last of its events to arrive.
 */
import { startsOf, type Work } from "../delivery/Work.ts"
import type { ParkedKey } from "./ParkedKeys.ts"
import * as ParkedName from "./ParkedName.ts"
import type { ParkedMoves } from "./ParkedMoves.ts"
import type { ParkedRenewal } from "./ParkedRenewal.ts"
import type { ParkingState } from "./ParkingState.ts"

export class ParkedArrivals {
  private readonly state: ParkingState
  private readonly moves: ParkedMoves
  private readonly renewal: ParkedRenewal

  constructor(state: ParkingState, moves: ParkedMoves, renewal: ParkedRenewal) {
    this.state = state
    this.moves = moves
    this.renewal = renewal
  }

  arrived(work: Work, key: string): void {
    this.take(work, key)
    // Must be last: the loading may end within the call.
    if (work.parkedName !== undefined) this.renewal.hasArrived(work.parkedName)
  }

  private take(work: Work, key: string): void {
    const { host, keys, loading, missing, resting } = this.state
    // Its consumer closes: it comes again with all the others.
    if (resting && !loading) return host.release(work)
    const name = ParkedName.of(work, work.place?.position ?? 0)
    work.parkedName = name
    const parked = keys.get(key) ?? this.moves.begin(key)
    const copy = parked.copies.get(name)
    if (copy !== undefined) missing.delete(copy)
    keys.removeCopy(parked, name)
    const other = parked.held.get(name)
    const isRenewed = other !== undefined && this.renewal.isRenewing(other)
    // A process died after a copy was stored and before its original was acknowledged: both are here.
    if (other !== undefined && !isRenewed && parked.headCopy !== name) {
      const dropped = this.olderOf(other, work, key)
      dropped.delivery.ack()
      host.release(dropped)
      if (dropped === work) return
    }
    keys.hold(parked, work, name)
    parked.lastPosition = Math.max(parked.lastPosition, work.place?.position ?? 0)
    // Read again: releasing a delivery may close its consumer within the call.
    if (!this.state.loading) this.place(parked, work)
  }

  /** Which of two deliveries of one event is dropped: the one with fewer attempts or starts, unless it runs already. */
  private olderOf(held: Work, arrived: Work, key: string): Work {
    const attempts = arrived.progress.attempt - held.progress.attempt
    const isNewer = attempts > 0 || (attempts === 0 && startsOf(held) < startsOf(arrived))
    return isNewer && (this.state.loading || this.state.host.mailbox.remove(held, key)) ? held : arrived
  }

  /** What arrives from now on was parked before; none of it runs until `loaded`. */
  beginLoading(): void {
    const { keys } = this.state
    this.state.loading = true
    this.state.missing = new Set()
    for (const { copies } of keys.all())
      for (const copy of copies.values()) if (copy.stored) this.state.missing.add(copy)
  }

  /** Everything that was parked before has arrived. */
  loaded(): void {
    const { host, keys, missing } = this.state
    this.state.loading = false
    this.state.resting = false
    for (const parked of keys.all()) {
      for (const work of parked.held.values()) this.place(parked, work)
      // A copy that was stored and is not there was taken away by someone else.
      for (const [name, copy] of parked.copies) {
        if (!missing.has(copy)) continue
        keys.removeCopy(parked, name)
        if (parked.headCopy !== name) continue
        parked.headCopy = undefined
        host.mailbox.done(parked.key)
      }
    }
    this.state.missing = new Set()
    for (const parked of keys.all()) this.moves.advance(parked)
    host.pump()
  }

  private place(parked: ParkedKey, work: Work): void {
    const { mailbox: box } = this.state.host
    if (parked.headCopy === work.parkedName) {
      parked.headCopy = undefined
      return box.again(work, parked.key)
    }
    const { position = 0 } = work.place ?? {}
    box.insert(work, parked.key, (other) => (other.place?.position ?? Number.POSITIVE_INFINITY) > position)
  }
}
