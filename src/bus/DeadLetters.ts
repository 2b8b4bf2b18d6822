/**
 * What could not be handled: counted, listed, sent back to its subscriber, or thrown away. Looking takes
 * nothing and can be done as often as one likes; two who look at once see disjoint parts.
 */
import { Context, Effect, Layer } from "effect"
import { Broker } from "./Broker.ts"
import { BrokerError, SettingsInvalid } from "./BrokerError.ts"
import { DeadLettersError } from "./BusError.ts"
import { beyondReturned, type DeadLetter, nameOf, type Source, sourceOf, walk } from "./DeadLetter.ts"
import * as Replay from "./Replay.ts"
import { compile, type Selection } from "./Selection.ts"
import * as Tally from "./Tally.ts"

export { type DeadLetter, type Source, undeliverable } from "./DeadLetter.ts"
export { ReplayError, type ReplayOptions, type ReplayReport } from "./Replay.ts"
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
    readonly replay: (
      source: Source,
      options?: Replay.ReplayOptions
    ) => Effect.Effect<Replay.ReplayReport, Replay.ReplayError>
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
  static readonly layer: Layer.Layer<DeadLetters, never, Broker> = Layer.effect(
    DeadLetters,
    Effect.suspend(() => make)
  )
}

const page = { count: 100, bytes: 8 * 1024 * 1024 }
const discarders = 16

const make = Effect.gen(function* () {
  const broker = yield* Broker
  const replay = yield* Replay.make(broker)

  const list = Effect.fnUntraced(function* (source: Source, options: ListOptions) {
    const { fits, limit } = yield* compile({ limit: page.count, ...options })
    const found: Array<DeadLetter> = []
    let reached = options.after === undefined
    let bytes = 0
    let full = limit <= 0
    yield* walk(broker, {
      source,
      workers: 1,
      each: (letter, delivery) =>
        Effect.sync(() => {
          if (!reached) reached = letter.eventId === options.after
          else if (!full && fits(letter)) {
            found.push(letter)
            bytes += letter.body.length
            full = found.length >= limit || bytes >= page.bytes
          }
          return !full || !beyondReturned(delivery)
        })
    })
    return found
  })

  const discard = Effect.fnUntraced(function* (source: Source, { all, dryRun = false, ...selection }: DiscardOptions) {
    const { fits, limit, narrowed } = yield* compile(selection)
    if (!narrowed && all !== true) return yield* unsaid
    const tally = Tally.make(dryRun)
    yield* walk(broker, {
      source,
      workers: dryRun ? 1 : discarders,
      begin: tally.begin,
      each: (letter, delivery) =>
        Effect.sync(() => {
          const full = tally.doneSoFar() >= limit
          if (full) return dryRun && !beyondReturned(delivery)
          if (!fits(letter)) tally.skip()
          else {
            tally.done(letter)
            if (!dryRun) delivery.ack()
          }
          return true
        })
    })
    const { done, ...counts } = tally.counts()
    return { discarded: done, ...counts }
  })

  return DeadLetters.of({
    count: (source) => broker.deadLetterDepth(sourceOf(source)).pipe(told(source)),
    list: Effect.fn("DeadLetters.list")((source: Source, options: ListOptions = {}) =>
      list(source, options).pipe(told(source))
    ),
    replay: Effect.fn("DeadLetters.replay")((source: Source, options: Replay.ReplayOptions = {}) =>
      replay(source, options)
    ),
    // Who has no types may leave out what to discard: that is refused, and not everything.
    discard: Effect.fn("DeadLetters.discard")((source: Source, options: DiscardOptions = {}) =>
      discard(source, options).pipe(told(source))
    )
  })
})

const unsaid = new BrokerError({
  reason: new SettingsInvalid({
    setting: "discard",
    problem: "it was not said which dead letters",
    remedy: "Select some, or say { all: true }"
  })
})

const told = (source: Source) =>
  Effect.mapError((error: BrokerError) => new DeadLettersError({ source: nameOf(source), reason: error.reason }))
