/**
 * What could not be handled: counted, listed, sent back to its subscriber, or thrown away. Looking takes
 * nothing and can be done as often as one likes; two who look at once see disjoint parts. How, is in Letters,
 * which is loaded when the layer is built.
 */
import { Context, Effect, Layer } from "effect"
import type { Broker } from "./Broker.ts"
import type { DeadLettersError, ReplayError } from "./BusError.ts"
import type { DeadLetter, Source } from "./DeadLetter.ts"
import type * as Replay from "./Replay.ts"
import type { Selection } from "./Selection.ts"
import type * as Tally from "./Tally.ts"

export { ReplayError } from "./BusError.ts"
export { type DeadLetter, type Source, undeliverable } from "./DeadLetter.ts"
export type { ReplayOptions, ReplayReport } from "./Replay.ts"
export type { Selection } from "./Selection.ts"

export interface ListOptions extends Selection {
  /** Id of the last letter of the page before; an empty page is the last, or that letter has left. */
  readonly after?: string
}

export interface DiscardOptions extends Selection {
  /** Says that it is meant for every letter. */
  readonly all?: true
  /** Answers what would be discarded and takes nothing. */
  readonly dryRun?: boolean
}

/** What a discard did; in a dry run, what it would do. */
export interface DiscardReport extends Tally.Counts {
  readonly discarded: number
}

/**
 * The dead letters of this namespace.
 *
 * @example
 * ```ts
 * import { DeadLetters } from "@eduflow/events"
 * import { Effect } from "effect"
 *
 * export const afterTheOutage = Effect.gen(function* () {
 *   const letters = yield* DeadLetters
 *   const chosen = { event: "academic.grade.#", errorTag: "MailServerDown", newerThan: "6 hours" } as const
 *   const { replayed, reasons } = yield* letters.replay("notification.grade-mailer", { ...chosen, dryRun: true })
 *   yield* Effect.log(`${replayed} would be replayed`, reasons)
 *   return yield* letters.replay("notification.grade-mailer", { ...chosen, rate: 50 })
 * })
 * ```
 */
export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    readonly count: (source: Source) => Effect.Effect<number, DeadLettersError>
    /**
     * Looks without taking: a page of at most 100 letters and 8 MiB, from the oldest on.
     *
     * @example
     * ```ts
     * import { DeadLetters } from "@eduflow/events"
     * import { Effect } from "effect"
     *
     * export const twoPages = Effect.gen(function* () {
     *   const letters = yield* DeadLetters
     *   const first = yield* letters.list("notification.grade-mailer", { reason: "Exhausted", limit: 20 })
     *   const last = first.at(-1)
     *   if (last === undefined) return first
     *   const next = { reason: "Exhausted", limit: 20, after: last.eventId } as const
     *   return [...first, ...(yield* letters.list("notification.grade-mailer", next))]
     * })
     * ```
     */
    readonly list: (source: Source, options?: ListOptions) => Effect.Effect<ReadonlyArray<DeadLetter>, DeadLettersError>
    /**
     * Sends them to their subscriber, and to no other, as fresh events: attempts start again, the
     * history is kept. Undeliverable events are published again. Can be interrupted, killed and run
     * again at any time; `rate` keeps a subscriber that is alive from being flooded.
     *
     * @example
     * ```ts
     * import { DeadLetters } from "@eduflow/events"
     * import { Effect } from "effect"
     *
     * export const replayAll = Effect.gen(function* () {
     *   const letters = yield* DeadLetters
     *   const { guarded, remaining, replayed } = yield* letters.replay("directory.accounts", { maxReplays: 5 })
     *   yield* Effect.log(`${replayed} replayed, ${remaining} left, ${guarded} of them failed five times before`)
     * }).pipe(
     *   Effect.catchTag("ReplayError", (error) =>
     *     Effect.logError(`${error.message}; run it again to go on`)
     *   )
     * )
     * ```
     */
    readonly replay: (source: Source, options?: Replay.ReplayOptions) => Effect.Effect<Replay.ReplayReport, ReplayError>
    /**
     * Throws them away, for good. Which ones must be said; every one is said by `all`.
     *
     * @example
     * ```ts
     * import { DeadLetters } from "@eduflow/events"
     * import { Effect } from "effect"
     *
     * export const forget = Effect.gen(function* () {
     *   const letters = yield* DeadLetters
     *   yield* letters.discard("directory.accounts", { reason: "Invalid", olderThan: "30 days" })
     *   return yield* letters.discard("directory.trial", { all: true, dryRun: true })
     * })
     * ```
     */
    readonly discard: (source: Source, options: DiscardOptions) => Effect.Effect<DiscardReport, DeadLettersError>
  }
>()("@eduflow/events/bus/DeadLetters") {
  static readonly layer: Layer.Layer<DeadLetters, never, Broker> = Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./Letters.ts")),
      (letters) => letters.layer
    )
  )
}
