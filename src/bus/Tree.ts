/**
 * The tree of actors as data: the bus, its subscribers, and in a keyed subscriber the lanes that have
 * something to do. For a console, a test, or a look in the middle of the night; metrics carry no keys.
 */
import type { BrokerStatus } from "./Broker.ts"
import type { Population } from "./Population.ts"
import type { SubscriberStats, SubscriberStatus } from "./Subscription.ts"
import type { Work } from "./Work.ts"

/** One key of a keyed subscriber. */
export interface Lane {
  readonly key: string
  /** What its first event does: its handler runs, it waits for its retry or is being settled, the same parked, or for its turn. */
  readonly head: "running" | "waiting" | "parked" | "ready"
  readonly id: string
  readonly attempt: number
  /** How many wait behind it. */
  readonly behind: number
}

export interface Lag {
  /** Events ready in its queue when it was looked at last, at most 15 seconds ago; undefined when that failed. */
  readonly ready: number | undefined
  /** Time of the oldest event that is delivered and not settled. */
  readonly oldest: Date | undefined
}

export interface SubscriberTree extends SubscriberStatus, SubscriberStats {
  readonly name: string
  readonly ordering: "none" | "key"
  readonly lag: Lag
  /** At most 1,000. */
  readonly keys: ReadonlyArray<Lane>
}

export interface BusTree {
  readonly source: string
  readonly namespace: string
  readonly broker: BrokerStatus
  /** Publishes in flight, and those that wait at the door. */
  readonly publishing: { readonly inFlight: number; readonly bytes: number; readonly waiting: number }
  /** Copies for retries and dead letters in flight, and those that wait. */
  readonly settling: { readonly inFlight: number; readonly bytes: number; readonly waiting: number }
  readonly subscribers: ReadonlyArray<SubscriberTree>
}

const shown = 1000

/** The lanes of what is open, in the order of its delivery. */
export const lanes = (
  open: Iterable<Work>,
  running: Population<Work>,
  isDeciding: (work: Work) => boolean
): ReadonlyArray<Lane> => {
  const found = new Map<string, Lane>()
  for (const work of open) {
    const { key } = work.event
    if (key === undefined) continue
    const lane = found.get(key)
    if (lane !== undefined) found.set(key, { ...lane, behind: lane.behind + 1 })
    else if (found.size < shown) {
      const head = running.has(work)
        ? "running"
        : !isDeciding(work)
          ? "ready"
          : work.origin.parked
            ? "parked"
            : "waiting"
      found.set(key, { key, head, id: work.event.id, attempt: work.progress.attempt, behind: 0 })
    }
  }
  return [...found.values()]
}

export const oldest = (open: Iterable<Work>): Date | undefined => {
  let time = Number.POSITIVE_INFINITY
  for (const work of open) time = Math.min(time, work.event.time.getTime())
  return time === Number.POSITIVE_INFINITY ? undefined : new Date(time)
}
