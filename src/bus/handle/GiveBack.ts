/**
 * Gives deliveries back to the broker, which brings them again: those of a consumer that is gone, and every one
 * when the subscriber ends.
 */
import * as Effect from "effect/Effect"
import * as Decision from "../delivery/Decision.ts"
import * as Returns from "../delivery/Returns.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import type { Work } from "../delivery/Work.ts"
import type { PendingDecisions } from "./PendingDecisions.ts"
import type { RunnerState } from "./RunnerState.ts"

/** Interrupts the handlers of these deliveries, and lets go of the ones that did not start. */
export const giveBack = (
  state: RunnerState,
  decisions: PendingDecisions,
  policy: FailurePolicy,
  which: (work: Work) => boolean
): void => {
  for (const work of [...state.mailbox.drop(which), ...(state.parking?.drop(which) ?? [])]) {
    if (isSentAgain(state, work)) {
      decisions.start(work, policy.handOver(work))
      continue
    }
    if (isParkedAgain(state, work)) {
      decisions.start(work, Effect.succeed(Decision.park(state.wall(), true)), false)
      continue
    }
    const undo = state.parking?.suspects.undo(work)
    if (undo !== undefined) {
      decisions.start(work, undo, false)
      continue
    }
    if (!work.origin.parked) state.countReturn()
    state.release(work, false)
  }
  for (const work of state.running) {
    if (!which(work)) continue
    work.givenBack = true
    work.running?.interruptUnsafe()
  }
}

/** Whether a parked copy keeps what this process knows of earlier attempts: only the first event of a key has any. */
const isParkedAgain = ({ keyed, subscriber }: RunnerState, work: Work): boolean =>
  keyed && !subscriber.ephemeral && !work.delivery.lost() && wasAttempted(work) && work.event.key !== undefined

/** Whether it failed or was postponed in this process. */
export const wasAttempted = ({ progress, received, unknown }: Work): boolean =>
  unknown === undefined && (progress.attempt !== received.attempt || progress.postponed !== received.postponed)

/**
 * Whether closing the consumer would return a delivery that came back before: the next process would suspect it. What
 * is parked, or leaves by a copy with the first event of its key, is not returned.
 */
export const returnsAgain = (state: RunnerState, decisions: PendingDecisions): boolean => {
  const leaving = new Set<string | undefined>()
  for (const work of state.open) if (decisions.has(work) || wasAttempted(work)) leaving.add(work.event.key)
  for (const work of state.open) {
    const { key } = work.event
    if (work.origin.parked || state.running.has(work) || decisions.has(work) || Returns.countOf(work.delivery) === 0)
      continue
    if (key === undefined || !leaving.has(key)) return true
  }
  return false
}

/**
 * Whether a copy goes out instead of a return. A copy keeps what this process knows of earlier attempts. And each
 * return costs the event a life: without copies, deploys in quick succession would use up the lives of an event
 * that never gets to run.
 */
const isSentAgain = ({ subscriber }: RunnerState, { delivery, event, progress, received }: Work): boolean =>
  (subscriber.ordering === "none" || event.key === undefined) &&
  !subscriber.ephemeral &&
  !delivery.lost() &&
  (progress !== received || Returns.countOf(delivery) >= Returns.thriftyCount)
