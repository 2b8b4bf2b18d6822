/**
 * Selects dead letters by id, event, reason, error, key and age. A letter must match every part that is given. A
 * filter that makes no sense is an error, not an empty selection.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { topicMatches } from "../../event/Name.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { SettingsInvalid } from "../port/BrokerReason.ts"
import type { DeadLetter } from "./DeadLetter.ts"
import type { DeadLetterReason } from "../send/Diagnosis.ts"
import { remedyOfUnknown } from "../support/OptionNames.ts"

/** Selects the dead letters that match every part. */
export interface LetterFilter {
  readonly ids?: ReadonlyArray<string>
  /** An event's name, or a pattern such as `academic.#`. */
  readonly event?: string
  readonly reason?: DeadLetterReason
  readonly errorTag?: string
  readonly key?: string
  /** Letters whose last failure is at least this long ago; without a known failure, their publication. */
  readonly olderThan?: Duration.Input
  /** Letters whose last failure, or publication, is less long ago than this. */
  readonly newerThan?: Duration.Input
  /** The largest number of letters. Default 100 for `list`, no limit for the others. */
  readonly limit?: number
}

export interface CompiledFilter {
  readonly matches: (letter: DeadLetter) => boolean
  /** Infinity if none was given. */
  readonly limit: number
  /** Whether it compares keys, for which the body of a letter must be read. */
  readonly byKey: boolean
  /** Whether it has any part besides a limit. */
  readonly isNarrowed: boolean
}

const invalid = (setting: string, problem: string, remedy: string): BrokerError =>
  new BrokerError({ reason: new SettingsInvalid({ setting, problem, remedy }) })

const parts = [
  "ids",
  "event",
  "reason",
  "errorTag",
  "key",
  "olderThan",
  "newerThan",
  "limit"
] as const satisfies ReadonlyArray<keyof LetterFilter>

/**
 * Checks a filter, and that the call has no option besides its parts and `further` ones. The compiler does not see
 * a misspelled name in `{ ...filter, dryRun: true }`, and without that part the filter would select more letters.
 */
export const compile = Effect.fnUntraced(function* <Options extends LetterFilter>(
  filter: Options,
  further: ReadonlyArray<Exclude<keyof Options, keyof LetterFilter> & string>
) {
  const known: ReadonlyArray<string> = [...parts, ...further]
  const unknown = Object.keys(filter).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    return yield* invalid(unknown, "there is no such option", remedyOfUnknown(unknown, known))
  }
  const { errorTag, event, ids, key, limit = Number.POSITIVE_INFINITY, reason } = filter
  if (!(limit >= 0)) return yield* invalid("limit", `${limit} is not a count`, "Give a number from 0 up")
  const now = yield* Clock.currentTimeMillis
  const before = yield* ago("olderThan", filter.olderThan, now)
  const after = yield* ago("newerThan", filter.newerThan, now)
  const wanted = ids === undefined ? undefined : new Set(ids)
  const words = event?.split(".")
  const compiled: CompiledFilter = {
    limit,
    byKey: key !== undefined,
    isNarrowed: [wanted, event, reason, errorTag, key, before, after].some((part) => part !== undefined),
    matches: (letter) =>
      (wanted === undefined || wanted.has(letter.eventId)) &&
      (words === undefined || event === letter.eventType || topicMatches(words, letter.eventType.split("."))) &&
      (reason === undefined || reason === letter.reason) &&
      (errorTag === undefined || errorTag === letter.error.tag) &&
      (key === undefined || key === letter.key) &&
      (before === undefined || (failedAt(letter) ?? Number.POSITIVE_INFINITY) <= before) &&
      (after === undefined || (failedAt(letter) ?? Number.NEGATIVE_INFINITY) > after)
  }
  return compiled
})

const failedAt = (letter: DeadLetter): number | undefined => (letter.lastFailure ?? letter.publishedAt)?.getTime()

const ago = Effect.fnUntraced(function* (setting: string, input: Duration.Input | undefined, now: number) {
  if (input === undefined) return undefined
  // Callers without types may pass anything.
  const age = Option.map(Duration.fromInput(input), Duration.toMillis)
  if (Option.isNone(age) || Number.isNaN(age.value)) {
    return yield* invalid(setting, "this is not a duration", 'Give one like "2 hours" or milliseconds')
  }
  return now - age.value
})
