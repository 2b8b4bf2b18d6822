/**
 * Selects dead letters by id, event, reason, error, key and age. A letter must match every part that is given. A
 * filter that makes no sense is an error, not an empty selection.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { topicMatches } from "../../event/Name.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
import * as SettingsFault from "../port/SettingsFault.ts"
import type { DeadLetter } from "./DeadLetter.ts"
import { type DeadLetterReason, deadLetterReasons } from "../send/Diagnosis.ts"

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

const parts: Kinds.Kinds = {
  ids: Kinds.listOf(Kinds.text, "a list of ids"),
  event: Kinds.text,
  reason: Kinds.oneOf(...deadLetterReasons),
  errorTag: Kinds.text,
  key: Kinds.text,
  olderThan: Kinds.duration,
  newerThan: Kinds.duration,
  limit: Kinds.limit
} satisfies Kinds.KindsOf<LetterFilter>

/**
 * Checks a filter, and that the call has no option besides its parts and `further` ones. The compiler does not see
 * a misspelled name in `{ ...filter, dryRun: true }`, and without that part the filter would select more letters.
 */
export const compile = Effect.fnUntraced(function* <Options extends LetterFilter>(
  filter: Options,
  further: Kinds.KindsOf<Omit<Options, keyof LetterFilter>>,
  defaultLimit = Number.POSITIVE_INFINITY
) {
  const wrong = SettingsFault.of(filter, { ...parts, ...further })
  if (wrong !== undefined) return yield* wrong
  const { errorTag, event, ids, key, limit = defaultLimit, reason } = filter
  const now = yield* Clock.currentTimeMillis
  const ago = (age: Duration.Input | undefined) => (age === undefined ? undefined : now - millisOf(age))
  const before = ago(filter.olderThan)
  const after = ago(filter.newerThan)
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
