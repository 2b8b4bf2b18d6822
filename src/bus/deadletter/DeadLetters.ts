/**
 * Events that could not be handled: count them, list them, send them back to their subscriber, or discard them.
 * Looking takes nothing and can be repeated; two callers at the same time see disjoint parts. DeadLettersLive
 * implements it and is loaded when the layer is built.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Broker } from "../port/Broker.ts"
import { type ListedLetter, type Source as LetterSource, undeliverable } from "./DeadLetter.ts"
import type { DeadLettersError, ReplayError } from "./DeadLettersError.ts"
import type * as LetterCounts from "./LetterCounts.ts"
import type { LetterFilter } from "./LetterFilter.ts"
import type * as ReplayState from "./ReplayState.ts"

export { ReplayError } from "./DeadLettersError.ts"
export type { ListedLetter as DeadLetter } from "./DeadLetter.ts"

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
    readonly count: (source: DeadLetters.Source) => Effect.Effect<number, DeadLettersError>
    /**
     * Returns a page of at most 100 letters and 8 MiB, from the oldest on. They stay in their queue. The next page begins
     * `after` the `cursor` of the last letter; an empty page is the last one.
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
     *   const next = { reason: "Exhausted", limit: 20, after: last.cursor } as const
     *   return [...first, ...(yield* letters.list("notification.grade-mailer", next))]
     * })
     * ```
     */
    readonly list: (
      source: DeadLetters.Source,
      options?: DeadLetters.ListOptions
    ) => Effect.Effect<ReadonlyArray<ListedLetter>, DeadLettersError>
    /**
     * Sends letters to their subscriber, and to no other, as fresh events: attempts start again, the failures so
     * far are kept. Undeliverable events are published again. A replay can be interrupted, killed and run again
     * at any time. `rate` protects a running subscriber from a flood.
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
    readonly replay: (
      source: DeadLetters.Source,
      options?: DeadLetters.ReplayOptions
    ) => Effect.Effect<DeadLetters.ReplayReport, ReplayError>
    /**
     * Deletes letters for good. A filter must select them; `all` selects every letter.
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
    readonly discard: (
      source: DeadLetters.Source,
      options: DeadLetters.DiscardOptions
    ) => Effect.Effect<DeadLetters.DiscardReport, DeadLettersError>
  }
>()("@eduflow/events/bus/DeadLetters") {
  /** The source of delayed events to which no subscriber was bound when they were due. */
  static readonly undeliverable: typeof undeliverable = undeliverable

  static readonly layer: Layer.Layer<DeadLetters, never, Broker> = Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./DeadLettersLive.ts")),
      (letters) => letters.layer
    )
  )
}

export declare namespace DeadLetters {
  /** A subscriber's name, or `DeadLetters.undeliverable`. */
  export type Source = LetterSource

  /** Selects the dead letters that match every part. */
  export type Filter = LetterFilter

  export interface ListOptions extends Filter {
    /** The `cursor` of the last letter of the page before. It fails when that letter has left the queue. */
    readonly after?: string
  }

  export type ReplayOptions = ReplayState.ReplayOptions
  export type ReplayReport = ReplayState.ReplayReport

  export interface DiscardOptions extends Filter {
    /** Confirms that every letter is to be discarded. */
    readonly all?: true
    /** Returns what would be discarded and deletes nothing. */
    readonly dryRun?: boolean
  }

  /** What a discard did; in a dry run, what it would do. */
  export interface DiscardReport extends LetterCounts.LetterCounts {
    readonly discarded: number
  }
}
