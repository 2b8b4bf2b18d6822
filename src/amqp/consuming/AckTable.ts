/**
 * The settled deliveries of one channel. Acknowledgements are collected: one ack of many for the longest settled prefix,
 * single acks beyond the first gap. An ack of many names a tag that is itself outstanding: naming a settled one is a
 * 406, and everything comes back.
 */
export interface AckTable {
  readonly delivered: (tag: number) => void
  /** False when it was settled before. */
  readonly settle: (tag: number) => boolean
  /** Settles one without acknowledging it: the caller does something else with it. False when it was settled before. */
  readonly remove: (tag: number) => boolean
  /** Acknowledges the deliveries that were settled since the last flush. */
  readonly flush: () => void
  readonly outstanding: () => number
  /** Whether some were acknowledged one by one, behind one that is outstanding. */
  readonly hasGap: () => boolean
}

export const make = (ack: (tag: number, upTo: boolean) => void): AckTable => {
  /** The lowest tag that is not acknowledged. */
  let head = 1
  let last = 0
  /** Settled since the last flush. */
  const fresh = new Set<number>()
  /** Settled one by one, beyond `head`. */
  const single = new Set<number>()

  const isOutstanding = (tag: number): boolean => tag >= head && tag <= last && !fresh.has(tag) && !single.has(tag)

  return {
    delivered: (tag) => {
      last = tag
    },
    settle: (tag) => {
      if (!isOutstanding(tag)) return false
      fresh.add(tag)
      return true
    },
    remove: (tag) => {
      if (!isOutstanding(tag)) return false
      single.add(tag)
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
    outstanding: () => last - head + 1 - single.size - fresh.size,
    hasGap: () => single.size > 0
  }
}
