/**
 * Which deliveries of one channel are settled. Acknowledgements are collected for a turn of the event
 * loop: one multiple-ack for the longest settled prefix, single ones beyond the first gap. The
 * multiple-ack names a tag that is itself outstanding: naming a settled one is a 406, and everything
 * comes back.
 */
export interface AckTable {
  readonly delivered: (tag: number) => void
  /** False when it was settled before. */
  readonly settle: (tag: number) => boolean
  /** Sends what was settled since the last flush. */
  readonly flush: () => void
  readonly outstanding: () => number
}

export const make = (ack: (tag: number, upTo: boolean) => void): AckTable => {
  /** Lowest tag that is not acknowledged. */
  let head = 1
  let last = 0
  /** Settled in this turn. */
  const fresh = new Set<number>()
  /** Acknowledged one by one, beyond `head`. */
  const single = new Set<number>()

  return {
    delivered: (tag) => {
      last = tag
    },
    settle: (tag) => {
      if (tag < head || tag > last || fresh.has(tag) || single.has(tag)) return false
      fresh.add(tag)
      return true
    },
    flush: () => {
      if (fresh.size === 0) return
      let highest: number | undefined
      for (; head <= last; head++) {
        if (fresh.delete(head)) highest = head
        else if (!single.delete(head)) break
      }
      if (highest !== undefined) ack(highest, true)
      for (const tag of fresh) {
        ack(tag, false)
        single.add(tag)
      }
      fresh.clear()
    },
    outstanding: () => last - head + 1 - single.size - fresh.size
  }
}
