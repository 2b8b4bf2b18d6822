/**
 * Dead letters with Promises.
 */
import * as Effect from "effect/Effect"
import { type DeadLetter, DeadLetters } from "../../bus/deadletter/DeadLetters.ts"
import * as CallerStack from "./CallerStack.ts"
import type { PromiseRun } from "./PromiseRun.ts"

/**
 * The dead letters of a subscriber, or of `DeadLetters.undeliverable`.
 *
 * @example
 * ```ts
 * import type { PromiseEventBus } from "@eduflow/events"
 *
 * export const afterTheOutage = async ({ deadLetters }: PromiseEventBus) => {
 *   const { replayed } = await deadLetters.replay("crm.accounts", { errorTag: "Timeout", rate: 50 })
 *   await deadLetters.discard("crm.accounts", { reason: "Invalid", olderThan: "30 days" })
 *   return { replayed, left: await deadLetters.count("crm.accounts") }
 * }
 * ```
 */
export interface PromiseDeadLetters {
  readonly count: (source: DeadLetters.Source) => Promise<number>
  /** A page of at most 100 letters, from the oldest on. Nothing is taken. */
  readonly list: (source: DeadLetters.Source, options?: DeadLetters.ListOptions) => Promise<ReadonlyArray<DeadLetter>>
  /** Sends letters back to their subscriber, with their attempts counted anew. */
  readonly replay: (
    source: DeadLetters.Source,
    options?: DeadLetters.ReplayOptions
  ) => Promise<DeadLetters.ReplayReport>
  /** Deletes letters for good. */
  readonly discard: (
    source: DeadLetters.Source,
    options: DeadLetters.DiscardOptions
  ) => Promise<DeadLetters.DiscardReport>
}

export const make = ({ run }: PromiseRun): PromiseDeadLetters => {
  const use = <A, E>(call: (letters: DeadLetters["Service"]) => Effect.Effect<A, E>): Promise<A> =>
    run(Effect.flatMap(DeadLetters, call), { site: CallerStack.here() })
  return {
    count: (source) => use((letters) => letters.count(source)),
    list: (source, options) => use((letters) => letters.list(source, options)),
    replay: (source, options) => use((letters) => letters.replay(source, options)),
    discard: (source, options) => use((letters) => letters.discard(source, options))
  }
}
