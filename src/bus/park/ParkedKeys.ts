/**
 * What the active process knows of the parked keys of its subscriber: which of their events it holds, which
 * copies are on their way, and which deliveries wait behind them. It decides nothing.
 */
import { sizeOf } from "../../event/Body.ts"
import type { Work } from "../delivery/Work.ts"

export interface ParkedKey {
  readonly key: string
  /** Deliveries of the parked queue, by name. */
  readonly held: Map<string, Work>
  /** Copies on their way to the parked queue and back to this process, by name. */
  readonly copies: Map<string, PendingCopy>
  /** Deliveries of the subscriber's own queue, which come after all of these. */
  readonly followers: Array<Work>
  /** Whether an event of the subscriber's own queue has the lane: it comes before the followers. */
  isBehindOwn: boolean
  /** The last position that was given to an event of this key. */
  lastPosition: number
  /** Name of the head while its copy is on its way; the lane stays taken until it is back. */
  headCopy: string | undefined
  /** Whether nothing but the arrival of that copy frees the lane. */
  awaitsHead: boolean
  /** When a head that this process has parked is due, by the monotonic clock. */
  headDue: { readonly name: string; readonly at: number } | undefined
  /** Whether the head waits for its time. */
  headWaits: boolean
  /** Whether an event of this key is being moved. */
  moving: boolean
  /** Whether the head may run before its time. */
  released: boolean
  /** How long the handler of its last event took; 0 before the first one that was slow. */
  secondsEach: number
}

export interface PendingCopy {
  readonly bytes: number
  /** Whether the broker has confirmed it. */
  stored: boolean
}

/** The most that is parked of one subscriber: the active process holds all of it. */
export const maxParked = { count: 10_000, bytes: 32 * 1024 * 1024 }
/** The prefetch of a consumer that is to hold all of it, with room for the copies that it makes. */
export const prefetch = 2 * maxParked.count

export class ParkedKeys {
  private readonly keys = new Map<string, ParkedKey>()
  private events = 0
  private bytes = 0

  get(key: string): ParkedKey | undefined {
    return this.keys.get(key)
  }

  all(): ReadonlyArray<ParkedKey> {
    return [...this.keys.values()]
  }

  size(): number {
    return this.keys.size
  }

  /** Parked events, as far as this process knows. */
  count(): number {
    return this.events
  }

  begin(key: string): ParkedKey {
    const known = this.keys.get(key)
    if (known !== undefined) return known
    const parked: ParkedKey = {
      key,
      held: new Map(),
      copies: new Map(),
      followers: [],
      isBehindOwn: false,
      lastPosition: 0,
      headCopy: undefined,
      awaitsHead: false,
      headDue: undefined,
      headWaits: false,
      moving: false,
      released: false,
      secondsEach: 0
    }
    this.keys.set(key, parked)
    return parked
  }

  end(parked: ParkedKey): void {
    this.keys.delete(parked.key)
  }

  hasRoom(count: number, bytes: number): boolean {
    return this.events + count <= maxParked.count && this.bytes + bytes <= maxParked.bytes
  }

  addCopy(parked: ParkedKey, { delivery }: Work, name: string): void {
    if (parked.copies.has(name)) return
    const bytes = sizeOf(delivery.body)
    parked.copies.set(name, { bytes, stored: false })
    this.add(bytes)
  }

  removeCopy(parked: ParkedKey, name: string): void {
    const copy = parked.copies.get(name)
    if (copy !== undefined && parked.copies.delete(name)) this.remove(copy.bytes)
  }

  hold(parked: ParkedKey, work: Work, name: string): void {
    const before = parked.held.get(name)
    if (before !== undefined) this.remove(sizeOf(before.delivery.body))
    parked.held.set(name, work)
    this.add(sizeOf(work.delivery.body))
  }

  /** Whether it is held, and not another delivery of the same event. */
  holds({ held }: ParkedKey, work: Work): boolean {
    return work.parkedName !== undefined && held.get(work.parkedName) === work
  }

  /** Does nothing when another delivery is held for the same event by now. */
  letGo(parked: ParkedKey, work: Work): void {
    const { parkedName } = work
    if (parkedName === undefined || !this.holds(parked, work)) return
    parked.held.delete(parkedName)
    this.remove(sizeOf(work.delivery.body))
  }

  /** What is held beyond the most that is parked: the largest events, so that the fewest leave. */
  surplus(): ReadonlyArray<readonly [ParkedKey, Work]> {
    const held = this.all()
      .flatMap((parked) =>
        [...parked.held.values()].map((work) => ({ parked, work, size: sizeOf(work.delivery.body) }))
      )
      .toSorted((one, other) => other.size - one.size)
    let count = held.length
    let bytes = held.reduce((sum, { size }) => sum + size, 0)
    const leaving: Array<readonly [ParkedKey, Work]> = []
    for (const { parked, size, work } of held) {
      if (count <= maxParked.count && bytes <= maxParked.bytes) break
      count--
      bytes -= size
      leaving.push([parked, work])
    }
    return leaving
  }

  clear(): void {
    // A caller that still refers to one of the keys must not change the sums.
    for (const { copies, held } of this.keys.values()) {
      copies.clear()
      held.clear()
    }
    this.keys.clear()
    this.events = 0
    this.bytes = 0
  }

  private add(bytes: number): void {
    this.events++
    this.bytes += bytes
  }

  private remove(bytes: number): void {
    this.events--
    this.bytes -= bytes
  }
}
