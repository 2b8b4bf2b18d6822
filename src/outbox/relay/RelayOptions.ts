/** The options of a relay, and their defaults. */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as OptionInvalid from "../../event/options/OptionInvalid.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"

export interface RelayOptions {
  /** How long a relay in another process takes to notice a commit where nothing wakes it. Default 200 ms. */
  readonly poll?: Duration.Input
  /**
   * How long a partition stays with a process that has died, or whose database does not answer. The clock of the database
   * measures it. Default 10 seconds.
   */
  readonly lease?: Duration.Input
  /** Whether it waits for the notifications of `notify: true`, which takes a connection. Default false. */
  readonly listen?: boolean
  /** Events that are read at once. Default 500. */
  readonly batch?: number
  /** How long events stay in the table when they were published. 0 deletes them at once. Default 1 day. */
  readonly keepSent?: Duration.Input | "forever"
  /** How long events stay that were set aside. Default `"forever"`: until they are retried or purged by hand. */
  readonly keepRefused?: Duration.Input | "forever"
}

export interface RelaySettings {
  readonly pollMillis: number
  readonly leaseMillis: number
  readonly listens: boolean
  readonly batch: number
  /** Undefined is for ever. */
  readonly keepSentMillis: number | undefined
  readonly keepRefusedMillis: number | undefined
}

const kept = Kinds.or(Kinds.duration, '"forever"', (value) => value === "forever")

export const kinds = {
  poll: Kinds.time,
  lease: Kinds.time,
  listen: Kinds.bool,
  batch: Kinds.count,
  keepSent: kept,
  keepRefused: kept
} satisfies Kinds.KindsOf<RelayOptions>

/** Throws for a wrong option. */
export const settingsOf = (options: RelayOptions): RelaySettings => {
  OptionInvalid.check("OutboxRelay.layer", options, kinds)
  const {
    batch = 500,
    keepRefused = "forever",
    keepSent = "1 day",
    lease = "10 seconds",
    listen = false,
    poll = "200 millis"
  } = options
  return {
    batch,
    listens: listen,
    pollMillis: millisOf(poll),
    leaseMillis: millisOf(lease),
    keepSentMillis: keepSent === "forever" ? undefined : millisOf(keepSent),
    keepRefusedMillis: keepRefused === "forever" ? undefined : millisOf(keepRefused)
  }
}

const millisOf = (input: Duration.Input): number =>
  Predicate.isNumber(input) ? input : Duration.toMillis(Duration.fromInputUnsafe(input))
