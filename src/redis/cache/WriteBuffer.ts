/**
 * The entries that wait to be written, oldest first, and those of the batch in flight. Entries that newer ones make
 * needless are removed without being written: while Redis is away, the buffer grows with the keys and the lengths of
 * histories and not with the events. It is bounded by entries and bytes all the same: when it is full, the oldest
 * waiting entry is dropped and counted. It can be read, so that a process sees its own writes. Plain synchronous
 * state; WriteBehind.ts moves it.
 */
import type { CacheEntry } from "../../bus/port/CacheStore.ts"
import { needed } from "./Coalesce.ts"
import { NewestWrites } from "./NewestWrites.ts"
import { PendingWrite } from "./PendingWrite.ts"
import type { WriteOutcome } from "./WriteOutcome.ts"

export interface Counts {
  readonly written: number
  /** Entries that newer ones made needless before they were sent. */
  readonly superseded: number
  readonly dropped: number
  /** Batches that were not taken in full. */
  readonly failures: number
  readonly buffered: number
}

export interface WriteBufferOptions {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly onDropped: (count: number) => void
}

const batchEntries = 2_048
/** Bytes of a batch. On a connection too slow for it within the deadline it shrinks until it fits. */
const batchBytes = 1024 * 1024
/** Needless entries are looked for after this many arrivals, plus as many as the last look left. */
const sweepAfter = 512
/** Or after this many, before a batch is cut: to find what is needless costs less than to send it. */
const sweepBefore = 64

export class WriteBuffer {
  private readonly options: WriteBufferOptions
  private waiting: Array<PendingWrite> = []
  /** Entries before it are gone: shifting an array of thousands for each batch costs more than the batch. */
  private head = 0
  /** Entries that Redis refused for now: older than those that wait, and tried when a batch has room left. */
  private later: Array<PendingWrite> = []
  private inFlight: ReadonlyArray<PendingWrite> = []
  private readonly newestWrites = new NewestWrites(() => this.all())
  private bytes = 0
  /** Bytes that the next batch may have. */
  private fitting = batchBytes
  private written = 0
  private superseded = 0
  private dropped = 0
  private failures = 0
  /** Entries that the last sweep left, and those that have arrived since. */
  private left = 0
  private arrived = 0

  constructor(options: WriteBufferOptions) {
    this.options = options
  }

  /** `now` is the wall time, `at` the monotonic one. */
  add(entry: CacheEntry, now: number, at: number): void {
    const write = new PendingWrite(entry, now, at)
    this.waiting.push(write)
    this.bytes += write.size
    this.newestWrites.add(write)
    if (++this.arrived >= sweepAfter + this.left) this.sweep()
    if (this.isFull()) this.makeRoom()
  }

  /** Takes the next batch; it stays readable until it is settled. */
  cut(): ReadonlyArray<PendingWrite> {
    if (this.arrived > sweepBefore) this.sweep()
    const room = new Room(this.fitting)
    const end = room.fill(this.waiting, this.head, batchEntries)
    this.inFlight = this.waiting.slice(this.head, end)
    // Otherwise the next of those that wait did not fit.
    if (end === this.waiting.length) {
      const more = room.fill(this.later, 0, batchEntries - this.inFlight.length)
      this.inFlight = [...this.inFlight, ...this.later.splice(0, more)]
    }
    this.head = end
    this.compact()
    return this.inFlight
  }

  /** Applies the outcomes of the batch, in its order. Returns whether none of it has to be tried again. */
  settle(outcomes: ReadonlyArray<WriteOutcome>): boolean {
    const again: Array<PendingWrite> = []
    const later: Array<PendingWrite> = []
    let isWhole = true
    this.inFlight.forEach((write, i) => {
      const outcome = outcomes[i] ?? "retry"
      isWhole &&= outcome === "written"
      if (outcome === "retry") return void again.push(write)
      if (outcome === "later") return void later.push(write)
      this.forget(write)
      if (outcome === "written") this.written++
      else this.drop(1)
    })
    this.inFlight = []
    if (!isWhole) this.failures++
    // A refusal came in time.
    this.fitting = again.length > 0 ? Math.ceil(this.fitting / 2) : Math.min(this.fitting * 2, batchBytes)
    if (again.length + later.length === 0) return true
    if (again.length > 0) {
      this.waiting = [...again, ...this.waiting.slice(this.head)]
      this.head = 0
    }
    this.later.push(...later)
    this.makeRoom()
    return false
  }

  /** Everything in it, oldest first. */
  all(): ReadonlyArray<PendingWrite> {
    return [...this.later, ...this.inFlight, ...this.waiting.slice(this.head)]
  }

  /** The newest entry of an event and key that is in it. */
  newest(event: string, key: string): PendingWrite | undefined {
    return this.newestWrites.get(event, key)
  }

  /** Counts everything that is left as dropped, and returns how much it was. */
  abandon(): number {
    const left = this.size()
    this.drop(left)
    return left
  }

  refuse(): void {
    this.drop(1)
  }

  size(): number {
    return this.later.length + this.inFlight.length + this.waiting.length - this.head
  }

  counts(): Counts {
    const { dropped, failures, superseded, written } = this
    return { written, superseded, dropped, failures, buffered: this.size() }
  }

  private drop(count: number): void {
    this.dropped += count
    this.options.onDropped(count)
  }

  private forget(write: PendingWrite): void {
    this.bytes -= write.size
    this.newestWrites.remove(write)
  }

  private isFull(): boolean {
    return this.size() > this.options.maxEntries || this.bytes > this.options.maxBytes
  }

  private makeRoom(): void {
    // When all are needed, looking again at each arrival would cost more than it saves.
    if (this.isFull() && this.arrived * 8 > this.size()) this.sweep()
    while (this.isFull() && (this.later.length > 0 || this.head < this.waiting.length)) {
      const oldest = this.later.shift() ?? this.waiting[this.head++]
      if (oldest !== undefined) this.forget(oldest)
      this.drop(1)
    }
    this.compact()
  }

  /** Removes what newer entries make needless. */
  private sweep(): void {
    const before = this.later.length + this.waiting.length - this.head
    const kept = needed([...this.later, ...this.waiting.slice(this.head)])
    if (this.later.length > 0) {
      const refused = new Set(this.later)
      this.later = kept.filter((write) => refused.has(write))
      this.waiting = kept.filter((write) => !refused.has(write))
    } else this.waiting = [...kept]
    this.head = 0
    this.bytes = [...this.inFlight, ...kept].reduce((sum, { size }) => sum + size, 0)
    this.newestWrites.clear()
    this.superseded += before - kept.length
    this.left = kept.length
    this.arrived = 0
  }

  private compact(): void {
    if (this.head < 1_024 || this.head * 2 < this.waiting.length) return
    this.waiting = this.waiting.slice(this.head)
    this.head = 0
  }
}

/** The bytes of one batch; its first entry fits whatever its size. */
class Room {
  private readonly bytes: number
  private taken = 0

  constructor(bytes: number) {
    this.bytes = bytes
  }

  /** Up to which index the entries from `start` fit, at most `count` of them. */
  fill(from: ReadonlyArray<PendingWrite>, start: number, count: number): number {
    let end = start
    for (; end < from.length && end - start < count; end++) {
      const next = from[end]
      if (next === undefined) break
      this.taken += next.size
      if (this.taken > this.bytes && this.taken > next.size) break
    }
    return end
  }
}
