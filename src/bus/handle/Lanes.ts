/**
 * The mailbox of a keyed subscriber. The events of one key are a lane: one of them runs at a time, and a lane that
 * waits blocks no other.
 *
 * A lane exists only while it holds or runs an event: an idle key costs nothing.
 */
import * as MutableList from "effect/MutableList"
import * as RenewedSet from "../support/RenewedSet.ts"
import { type Mailbox, UnorderedMailbox } from "./Mailbox.ts"

interface Lane<W> {
  readonly key: string
  readonly queue: Array<W>
  taken: boolean
}

export class KeyedMailbox<W> implements Mailbox<W> {
  private byKey = new Map<string, Lane<W>>()
  private readonly outgrown = RenewedSet.makeOutgrown()
  /** Lanes whose first delivery may run, and some that are taken or empty by now. */
  private readonly free = MutableList.make<Lane<W>>()
  private readonly withoutKey = new UnorderedMailbox<W>()
  /** Deliveries that wait in lanes. */
  private waiting = 0

  offer(item: W, key: string | undefined): void {
    if (key === undefined) return this.withoutKey.offer(item)
    const lane = this.laneOf(key)
    lane.queue.push(item)
    this.added(lane)
  }

  take(): W | undefined {
    const first = this.withoutKey.take()
    if (first !== undefined) return first
    for (;;) {
      const lane = MutableList.take(this.free)
      if (lane === MutableList.Empty) return undefined
      const item = this.takeFrom(lane)
      if (item !== undefined) return item
      if (!lane.taken && this.byKey.get(lane.key) === lane) this.byKey.delete(lane.key)
    }
  }

  takeOf(key: string | undefined): W | undefined {
    if (key === undefined) return this.withoutKey.take()
    const lane = this.byKey.get(key)
    return lane === undefined ? undefined : this.takeFrom(lane)
  }

  done(key: string | undefined): void {
    const lane = key === undefined ? undefined : this.byKey.get(key)
    if (lane !== undefined) this.release(lane)
  }

  again(item: W, key: string | undefined): void {
    if (key === undefined) return this.withoutKey.again(item)
    const lane = this.laneOf(key)
    lane.queue.unshift(item)
    this.waiting++
    this.release(lane)
  }

  insert(item: W, key: string, before: (other: W) => boolean): void {
    const lane = this.laneOf(key)
    // From the end, where most deliveries belong: loading a lane then takes time in proportion to its length.
    const at = lane.queue.findLastIndex((other) => !before(other)) + 1
    lane.queue.splice(at, 0, item)
    this.added(lane)
  }

  remove(item: W, key: string): boolean {
    const queue = this.byKey.get(key)?.queue ?? []
    const at = queue.indexOf(item)
    if (at < 0) return false
    queue.splice(at, 1)
    this.waiting--
    return true
  }

  extract(key: string, which: (item: W) => boolean): ReadonlyArray<W> {
    const queue = this.byKey.get(key)?.queue ?? []
    const extracted = queue.filter(which)
    this.waiting -= extracted.length
    queue.splice(0, queue.length, ...queue.filter((item) => !which(item)))
    return extracted
  }

  isTaken(key: string): boolean {
    return this.byKey.get(key)?.taken ?? false
  }

  behind(key: string | undefined): number {
    return key === undefined ? 0 : (this.byKey.get(key)?.queue.length ?? 0)
  }

  lanes(): number {
    return this.byKey.size
  }

  size(): number {
    return this.waiting + this.withoutKey.size()
  }

  drop(gone: (item: W) => boolean): ReadonlyArray<W> {
    const dropped = [...this.withoutKey.drop(gone)]
    for (const lane of this.byKey.values()) {
      const kept = lane.queue.filter((item) => !gone(item))
      dropped.push(...lane.queue.filter(gone))
      this.waiting -= lane.queue.length - kept.length
      lane.queue.splice(0, lane.queue.length, ...kept)
      if (kept.length === 0 && !lane.taken) this.byKey.delete(lane.key)
    }
    return dropped
  }

  private laneOf(key: string): Lane<W> {
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    if (this.outgrown(this.byKey.size)) this.byKey = new Map(this.byKey)
    const lane: Lane<W> = { key, queue: [], taken: false }
    this.byKey.set(key, lane)
    return lane
  }

  private added(lane: Lane<W>): void {
    this.waiting++
    if (!lane.taken && lane.queue.length === 1) MutableList.append(this.free, lane)
  }

  private takeFrom(lane: Lane<W>): W | undefined {
    const item = lane.taken ? undefined : lane.queue.shift()
    if (item === undefined) return undefined
    this.waiting--
    lane.taken = true
    return item
  }

  private release(lane: Lane<W>): void {
    lane.taken = false
    if (lane.queue.length === 0) this.byKey.delete(lane.key)
    else MutableList.append(this.free, lane)
  }
}
