/**
 * Which dead letters: by id, event, reason, error, key and age. All parts that are given must fit; what
 * cannot be meant is an error and not an empty selection.
 */
import { Clock, Duration, Effect, Option } from "effect"
import { topicMatches } from "../event/Name.ts"
import { BrokerError, SettingsInvalid } from "./BrokerError.ts"
import type { DeadLetter } from "./DeadLetter.ts"
import type { DeadLetterReason } from "./Diagnosis.ts"

/** Which dead letters; all parts must fit. */
export interface Selection {
  readonly ids?: ReadonlyArray<string>
  /** An event's name, or a pattern such as `academic.#`. */
  readonly event?: string
  readonly reason?: DeadLetterReason
  readonly errorTag?: string
  readonly key?: string
  /** Those whose last failure is at least so long ago; where none is known, by their publication. */
  readonly olderThan?: Duration.Input
  /** Those whose last failure is less long ago. */
  readonly newerThan?: Duration.Input
  /** At most so many. Default 100 for `list`, all for the others. */
  readonly limit?: number
}

export interface Chosen {
  readonly fits: (letter: DeadLetter) => boolean
  /** Infinity where none was given. */
  readonly limit: number
  /** Whether it looks at keys, for which the body of a letter must be read. */
  readonly byKey: boolean
  /** Whether anything was said that narrows it, besides a limit. */
  readonly narrowed: boolean
}

const invalid = (setting: string, problem: string, remedy: string): BrokerError =>
  new BrokerError({ reason: new SettingsInvalid({ setting, problem, remedy }) })

/** What is meant, as of now. */
export const compile = Effect.fnUntraced(function* (selection: Selection) {
  const { errorTag, event, ids, key, limit = Number.POSITIVE_INFINITY, reason } = selection
  if (!(limit >= 0)) return yield* invalid("limit", `${limit} is not a count`, "Give a number from 0 up")
  const now = yield* Clock.currentTimeMillis
  const before = yield* ago("olderThan", selection.olderThan, now)
  const after = yield* ago("newerThan", selection.newerThan, now)
  const wanted = ids === undefined ? undefined : new Set(ids)
  const words = event?.split(".")
  const chosen: Chosen = {
    limit,
    byKey: key !== undefined,
    narrowed: [wanted, event, reason, errorTag, key, before, after].some((part) => part !== undefined),
    fits: (letter) =>
      (wanted === undefined || wanted.has(letter.eventId)) &&
      (words === undefined || event === letter.eventType || topicMatches(words, letter.eventType.split("."))) &&
      (reason === undefined || reason === letter.reason) &&
      (errorTag === undefined || errorTag === letter.error.tag) &&
      (key === undefined || key === letter.key) &&
      (before === undefined || (failedAt(letter) ?? Number.POSITIVE_INFINITY) <= before) &&
      (after === undefined || (failedAt(letter) ?? Number.NEGATIVE_INFINITY) > after)
  }
  return chosen
})

const failedAt = (letter: DeadLetter): number | undefined => letter.lastFailure ?? letter.published

const ago = Effect.fnUntraced(function* (setting: string, input: Duration.Input | undefined, now: number) {
  if (input === undefined) return undefined
  // A caller without types may say anything.
  const age = Option.map(Duration.fromInput(input), Duration.toMillis)
  if (Option.isNone(age) || Number.isNaN(age.value)) {
    return yield* invalid(setting, "this is not a duration", 'Give one like "2 hours" or milliseconds')
  }
  return now - age.value
})
