/**
 * What the cache remembers of an event: as a contract declares it, and as adapters read it.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { EventDefinitionError } from "./EventError.ts"

/** The `cache` option of a contract. */
export interface CacheSettings {
  /** Whether the last known event of each key is kept. Default true. */
  readonly last?: boolean
  /** How long the last known event is kept, for example `"2 minutes"`. Default: without a limit. */
  readonly timeToLive?: Duration.Input
  /** How many past events are kept. Default 100. */
  readonly history?: number
  /** Whether each key has a history of its own as well. Default false. */
  readonly perKey?: boolean
}

/** The same with the duration in milliseconds: converted once, when the contract is defined. */
export interface CachePolicy {
  readonly last?: boolean
  /** Milliseconds; absent means without a limit. */
  readonly timeToLiveMillis?: number
  readonly history?: number
  readonly perKey?: boolean
}

/** Throws `EventDefinitionError` if the duration is not valid. */
export const toPolicy = (event: string, { timeToLive, ...settings }: CacheSettings): CachePolicy => {
  if (timeToLive === undefined) return settings
  const duration = Duration.fromInput(timeToLive)
  if (Option.isNone(duration)) {
    throw new EventDefinitionError({
      event,
      problem: `cache.timeToLive "${String(timeToLive)}" is not a duration`,
      remedy: 'Use a duration such as "2 minutes" or a number of milliseconds'
    })
  }
  return Duration.isFinite(duration.value)
    ? { ...settings, timeToLiveMillis: Duration.toMillis(duration.value) }
    : settings
}
