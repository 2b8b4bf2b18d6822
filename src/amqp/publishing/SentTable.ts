/**
 * Finds what is in flight on a channel by its id. A table of buckets, chained through the messages themselves: a `Map` of
 * strings costs three times as much for members that stay for a moment only, and each table that it outgrows keeps alive
 * what came later (see `RenewedSet`).
 */
export interface Sent {
  readonly id: string
  /** `TextHash.of(id)`. */
  readonly hash: number
  /** The next one of its bucket. */
  next: Sent | undefined
}

const leastBuckets = 1024

const empty = <A>(length: number): Array<A | undefined> => Array.from({ length }, () => undefined)

export class SentTable<A extends Sent & { next: A | undefined }> {
  private buckets = empty<A>(leastBuckets)
  private count = 0

  get size(): number {
    return this.count
  }

  /** The first of this hash's bucket: its chain holds every message with that hash, among others. */
  chain(hash: number): A | undefined {
    return this.buckets[hash & (this.buckets.length - 1)]
  }

  add(sent: A): void {
    if (this.count >= this.buckets.length) this.grow()
    this.count++
    this.link(sent)
  }

  /** Does nothing when it has left already. */
  delete(sent: A): void {
    const at = sent.hash & (this.buckets.length - 1)
    const first = this.buckets[at]
    if (first === sent) this.buckets[at] = sent.next
    else {
      let before = first
      while (before !== undefined && before.next !== sent) before = before.next
      if (before === undefined) return
      before.next = sent.next
    }
    sent.next = undefined
    this.count--
  }

  private link(sent: A): void {
    const at = sent.hash & (this.buckets.length - 1)
    sent.next = this.buckets[at]
    this.buckets[at] = sent
  }

  private grow(): void {
    const { buckets } = this
    this.buckets = empty(buckets.length * 2)
    for (const first of buckets) {
      for (let sent = first; sent !== undefined;) {
        const { next } = sent
        this.link(sent)
        sent = next
      }
    }
  }
}
