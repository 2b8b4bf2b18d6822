/**
 * What the cache remembers of an event: as a contract declares it, and as adapters read it.
 */
import * as Duration from "effect/Duration"

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

/** Settings whose kinds were checked. */
export const toPolicy = ({ timeToLive, ...settings }: CacheSettings): CachePolicy => {
  if (timeToLive === undefined) return settings
  const duration = Duration.fromInputUnsafe(timeToLive)
  return Duration.isFinite(duration) ? { ...settings, timeToLiveMillis: Duration.toMillis(duration) } : settings
}
