/** Times of any number of events in little memory: buckets that each are a hundredth wider than the one before. */

const growth = Math.log(1.01)

export class Latencies {
  private readonly buckets: Array<number> = []
  private largest = 0
  count = 0

  /** In milliseconds. */
  add(millis: number): void {
    const micros = Math.max(0, millis * 1000)
    const at = Math.round(Math.log(micros + 1) / growth)
    this.buckets[at] = (this.buckets[at] ?? 0) + 1
    this.largest = Math.max(this.largest, millis)
    this.count++
  }

  /** In milliseconds, at most a hundredth off; 0 of nothing. */
  percentile(share: number): number {
    let left = share * this.count
    for (const [at, count] of this.buckets.entries()) {
      left -= count ?? 0
      if (left <= 0 && count !== undefined) return Math.min(rounded((Math.exp(at * growth) - 1) / 1000), this.max)
    }
    return this.max
  }

  get max(): number {
    return rounded(this.largest)
  }
}

/** Microseconds are more than any network has. */
const rounded = (millis: number): number => Math.round(millis * 1000) / 1000
