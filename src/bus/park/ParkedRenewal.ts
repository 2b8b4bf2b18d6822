/**
 * Stores parked events anew that came back before, while the parked queue is loaded and before anything of it runs. Each
 * end of its consumer returns all that is parked, and the broker counts that. An operator's policy may set how many
 * returns it allows, and the parked queue has no place for what exceeds them: it would be gone.
 *
 * A copy has no returns against it. It says how often its event came back, since events that kill their process are
 * suspected by that. Its original is acknowledged when the copy is confirmed, so at worst both are there.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Returns from "../delivery/Returns.ts"
import type { Work } from "../delivery/Work.ts"
import type { ParkedKey } from "./ParkedKeys.ts"
import * as ParkedName from "./ParkedName.ts"
import type { ParkedMoves } from "./ParkedMoves.ts"
import type { ParkingState } from "./ParkingState.ts"

/** A policy that is unknown here may allow a single return, and one is always needed: nothing says the count beforehand. */
const renewedFrom = 1
/** Copies without a confirm. */
const atOnce = 256
/** What is not stored anew by then stays as it is: the next process tries again. */
const renewedWithin = "10 seconds"

export class ParkedRenewal {
  /** Completes when all that came back before is stored anew, or after a time. */
  readonly store: Effect.Effect<void>
  /** Completes when the copies that were stored are here. */
  readonly arrived: Effect.Effect<void>
  private readonly state: ParkingState
  private readonly moves: ParkedMoves
  /** Not acknowledged yet. */
  private readonly originals = new Set<Work>()
  /** Copies on their way here, by name. */
  private readonly awaited = new Set<string>()
  private readonly hasAll = Latch.makeUnsafe(true)

  constructor(state: ParkingState, moves: ParkedMoves) {
    this.state = state
    this.moves = moves
    this.arrived = this.hasAll.await
    this.store = Effect.suspend(() =>
      Effect.forEach(this.returned(), ([parked, work]) => this.renew(parked, work), {
        concurrency: atOnce,
        discard: true
      })
    ).pipe(Effect.timeoutOption(renewedWithin), Effect.ensuring(Effect.sync(() => this.end())))
  }

  isNeeded(): boolean {
    return this.returned().length > 0
  }

  /** Whether another delivery of this event is its copy, which takes its place. */
  isRenewing(original: Work): boolean {
    return this.originals.has(original)
  }

  /** Called with each delivery that is held. */
  hasArrived(name: string): void {
    if (this.awaited.delete(name) && this.awaited.size === 0) this.hasAll.openUnsafe()
  }

  /** Originals whose copies took their place. */
  replaced(): ReadonlyArray<Work> {
    return [...this.originals].filter(({ parkedName = "" }) => !this.awaited.has(parkedName))
  }

  /** Called when a delivery is settled or given back. */
  left(work: Work): void {
    this.originals.delete(work)
  }

  /** What came back before, in the order of the queue. */
  private returned(): ReadonlyArray<readonly [ParkedKey, Work]> {
    return this.state.keys
      .all()
      .flatMap((parked) => [...parked.held.values()].filter(cameBack).map((work) => [parked, work] as const))
      .toSorted(([, one], [, other]) => (one.delivery.tag ?? 0) - (other.delivery.tag ?? 0))
  }

  private renew(parked: ParkedKey, work: Work): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { host, keys } = this.state
      const name = ParkedName.of(work, work.place?.position ?? 0)
      if (work.delivery.lost() || parked.held.get(name) !== work) return Effect.void
      this.originals.add(work)
      this.awaited.add(name)
      this.hasAll.closeUnsafe()
      work.progress = { ...work.progress, returns: Returns.countOf(work.delivery) }
      return Effect.map(this.moves.renew(parked, work), (isStored) => {
        if (!isStored || !this.originals.delete(work)) return
        keys.letGo(parked, work)
        host.release(work)
      })
    })
  }

  private end(): void {
    for (const work of this.originals) {
      const { delivery, parkedName = "" } = work
      // Its copy has not arrived: it is held as it is.
      if (this.awaited.delete(parkedName)) continue
      // The copy is stored and took its place, so nothing else would let go of it.
      if (!delivery.lost()) delivery.ack()
      this.state.host.release(work)
    }
    this.originals.clear()
    if (this.awaited.size === 0) this.hasAll.openUnsafe()
  }
}

const cameBack = ({ delivery }: Work): boolean => delivery.redelivered && delivery.deliveryCount >= renewedFrom
