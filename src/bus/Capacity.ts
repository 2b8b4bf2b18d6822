/**
 * How many handlers of a subscriber may be at work: its concurrency, less while a breaker probes, none
 * while somebody holds it.
 */
export interface Capacity {
  /** Whether handlers may start, as far as this one says: all must agree. */
  readonly hold: (who: "pause" | "rate" | "drain", on: boolean) => void
  /** Handlers at work at once, from now on. */
  readonly setConcurrency: (count: number) => void
  /** Fewer than the concurrency for a while; Infinity ends it. */
  readonly setLimit: (count: number) => void
}

/** `each` is how many events one handler takes: a batch of them is one. */
export const make = (initial: number, each: number, onMore: () => void) => {
  const holders = new Set<string>()
  let concurrency = initial
  let limit = Number.POSITIVE_INFINITY
  return {
    hold: (who, on) => {
      if (on) holders.add(who)
      else if (holders.delete(who)) onMore()
    },
    setConcurrency: (count) => {
      concurrency = count
      onMore()
    },
    setLimit: (count) => {
      limit = count
      onMore()
    },
    hasRoom: (busy: number): boolean => holders.size === 0 && busy < concurrency * each && busy < limit,
    /** Handlers that ignore their deadline: beyond half of them the process needs a restart. */
    maxZombies: (): number => each * Math.max(1, Math.floor(concurrency / 2))
  } satisfies Capacity & Record<string, unknown>
}
