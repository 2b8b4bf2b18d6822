/**
 * The lanes of a keyed subscriber that hold an event, as data.
 */
import type { Work } from "../delivery/Work.ts"
import type { Lane } from "../subscriber/Subscription.ts"
import type { PendingDecisions } from "./PendingDecisions.ts"
import type { RunnerState } from "./RunnerState.ts"

const shownLanes = 1000

/** The lanes of the unsettled deliveries, in the order of delivery. */
export const lanes = (state: RunnerState, decisions: PendingDecisions): ReadonlyArray<Lane> => {
  const found = new Map<string, Lane>()
  for (const work of state.open) {
    const { key } = work.event
    if (key === undefined) continue
    const lane = found.get(key)
    if (lane !== undefined) found.set(key, { ...lane, behind: lane.behind + 1 })
    else if (found.size < shownLanes)
      found.set(key, {
        key,
        head: headOf(state, decisions, work),
        id: work.event.id,
        attempt: work.progress.attempt,
        behind: 0
      })
  }
  return [...found.values()]
}

const headOf = (state: RunnerState, decisions: PendingDecisions, work: Work): Lane["head"] => {
  if (work.heldSince !== undefined) return "claimed"
  if (state.running.has(work)) return "running"
  if (!decisions.has(work)) return "ready"
  return work.origin.parked ? "parked" : "waiting"
}

/** What waits by key, as figures. */
export const waiting = ({ heads, open }: RunnerState) => {
  let claimed = 0
  for (const { heldSince } of open) if (heldSince !== undefined) claimed++
  return { claimed, behindWaiting: heads.behind(), maxBehindWaiting: heads.limit() }
}

/** When the oldest of these events was published. */
export const oldest = (open: Iterable<Work>): Date | undefined => {
  let time = Number.POSITIVE_INFINITY
  for (const work of open) time = Math.min(time, work.event.time.getTime())
  return time === Number.POSITIVE_INFINITY ? undefined : new Date(time)
}
