/**
 * The lanes of a keyed subscriber that hold an event, as data.
 */
import type { Work } from "../delivery/Work.ts"
import type { Lane } from "../subscriber/Subscription.ts"
import type { PendingDecisions } from "./PendingDecisions.ts"
import type { RunnerState } from "./RunnerState.ts"

const shownLanes = 1000

/** The lanes of the unsettled deliveries, in the order in which the first delivery of each arrived. */
export const lanes = (state: RunnerState, decisions: PendingDecisions): ReadonlyArray<Lane> => {
  const found = new Map<string, { head: Work; events: number }>()
  for (const work of state.open) {
    const { key } = work.event
    if (key === undefined) continue
    const lane = found.get(key)
    if (lane === undefined) {
      if (found.size < shownLanes) found.set(key, { head: work, events: 1 })
      continue
    }
    lane.events++
    if (isBefore(state, decisions, work, lane.head)) lane.head = work
  }
  return Array.from(found, ([key, { events, head }]) => ({
    key,
    head: headOf(state, decisions, head),
    id: head.event.id,
    attempt: head.progress.attempt,
    behind: events - 1
  }))
}

/** The copy of a head that was parked again arrives behind the other parked events of its key. */
const isBefore = (state: RunnerState, decisions: PendingDecisions, work: Work, other: Work): boolean => {
  const stages = stageOf(state, decisions, work) - stageOf(state, decisions, other)
  return stages === 0 ? positionOf(work) < positionOf(other) : stages < 0
}

/** What holds the lane comes first. */
const stageOf = (state: RunnerState, decisions: PendingDecisions, work: Work): number =>
  state.running.has(work) ? 0 : decisions.has(work) ? 1 : 2

/** Parked events of a key come before all others of it. */
const positionOf = ({ place }: Work): number => place?.position ?? Number.POSITIVE_INFINITY

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
