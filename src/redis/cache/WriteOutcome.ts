/** What happened to the entries of a batch. */
import { isPassing, type RedisReason } from "../connection/RedisError.ts"
import type { PendingWrite } from "./PendingWrite.ts"
import type { WritePlan } from "./WritePlan.ts"

/**
 * - `written`: Redis has it
 * - `retry`: no answer; it is the first to be tried again
 * - `later`: refused for now; it is tried again after all others
 * - `refused`: refused for good; it is dropped
 */
export type WriteOutcome = "written" | "retry" | "later" | "refused"

/** When the commands of an entry end differently, the last one here counts. */
const order: ReadonlyArray<WriteOutcome> = ["written", "refused", "later", "retry"]

/** An entry is written when all of its commands are, and lost when one of them never will be. */
export const outcomesOf = (
  entries: ReadonlyArray<PendingWrite>,
  plan: WritePlan,
  reasons: ReadonlyArray<RedisReason | undefined>
): ReadonlyArray<WriteOutcome> => {
  const outcomes = new Map<PendingWrite, WriteOutcome>()
  reasons.forEach((reason, i) => {
    if (reason === undefined) return
    const outcome = reason._tag === "Unavailable" ? "retry" : isPassing(reason) ? "later" : "refused"
    for (const entry of plan.calls[i]?.entries ?? []) {
      if (order.indexOf(outcome) > order.indexOf(outcomes.get(entry) ?? "written")) outcomes.set(entry, outcome)
    }
  })
  return entries.map((entry) => outcomes.get(entry) ?? "written")
}
