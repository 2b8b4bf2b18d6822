/**
 * How many handlers of a subscriber may run at once: its concurrency, fewer while a breaker probes, and none
 * while anything holds it.
 */
export interface Capacity {
  /** Lets no handler start for this reason until it is turned off. Handlers start when no reason is left. */
  readonly hold: (reason: HoldReason, on: boolean) => void
  /** Sets how many handlers run at once from now on. */
  readonly setConcurrency: (count: number) => void
  /** Lets fewer handlers than the concurrency run for a while. Infinity ends it. */
  readonly setLimit: (count: number) => void
}

export type HoldReason = "pause" | "rate" | "drain" | "handover"

/** `batchSize` is how many events one handler takes. */
export const make = (initial: number, batchSize: number, onMore: () => void) => {
  const reasons = new Set<HoldReason>()
  let concurrency = initial
  let limit = Number.POSITIVE_INFINITY
  return {
    hold: (reason, on) => {
      if (on) reasons.add(reason)
      else if (reasons.delete(reason)) onMore()
    },
    setConcurrency: (count) => {
      concurrency = count
      onMore()
    },
    setLimit: (count) => {
      limit = count
      onMore()
    },
    hasRoom: (busy: number): boolean => reasons.size === 0 && busy < concurrency * batchSize && busy < limit,
    /** More handlers than this that ignore their deadline, and the process needs a restart. */
    maxZombies: (): number => batchSize * Math.max(1, Math.floor(concurrency / 2))
  } satisfies Capacity & Record<string, unknown>
}
