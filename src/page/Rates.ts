/** How many events are handled a second: from counts that processes write every few seconds. */
import type { Ps } from "./Client.ts"
import { now } from "./Time.ts"

interface Counted {
  readonly handled: number
  readonly at: number
  readonly rate: number | undefined
}

/** Records that are closer together than this are the same one, whose age was rounded. */
const leastMillis = 1000

export class Rates {
  private readonly counts = new Map<string, Counted>()

  /** Takes what was read. */
  add({ processes }: Ps): void {
    const seen = new Set<string>()
    for (const { process, secondsAgo, subscribers } of processes) {
      const at = now() - secondsAgo * 1000
      for (const { handled, name } of subscribers) {
        const key = `${process} ${name}`
        seen.add(key)
        const before = this.counts.get(key)
        if (before !== undefined && at - before.at < leastMillis) continue
        const rate =
          before === undefined ? undefined : Math.max(0, handled - before.handled) / ((at - before.at) / 1000)
        this.counts.set(key, { handled, at, rate })
      }
    }
    for (const key of this.counts.keys()) if (!seen.has(key)) this.counts.delete(key)
  }

  /** Of one subscriber in all processes, or of all; undefined until there are two counts. */
  of(subscriber?: string): number | undefined {
    let sum: number | undefined
    for (const [key, { rate }] of this.counts)
      if (rate !== undefined && (subscriber === undefined || key.endsWith(` ${subscriber}`))) sum = (sum ?? 0) + rate
    return sum
  }
}
