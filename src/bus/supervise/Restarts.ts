/**
 * How often a subscriber may restart without progress before it fails for good, and how long it waits before each
 * restart. Trouble that the broker gets over by itself does not count, however long it takes.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Broker } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import type { RestartOptions } from "../subscriber/SubscriberOptions.ts"
import type { Backoff } from "../support/Backoff.ts"
import * as Watchdog from "./Watchdog.ts"

export const backoff: Backoff = { baseMillis: 200, capMillis: 30_000, jitter: "full" }

/** When the broker is back, the subscribers of a fleet restart spread over this time. */
const spreadMillis = 1000

/** Waits this long, or until a broker that is away is back. */
export const wait = (status: Broker["Service"]["status"], millis: number): Effect.Effect<void> => {
  const back = SubscriptionRef.changes(status).pipe(
    Stream.filter(({ _tag }) => _tag !== "Connecting"),
    Stream.runHead,
    Effect.andThen(Random.next),
    Effect.flatMap((jitter) => Effect.sleep(spreadMillis * jitter))
  )
  return Effect.suspend(() =>
    SubscriptionRef.getUnsafe(status)._tag === "Connecting"
      ? Effect.raceFirst(Effect.sleep(millis), back)
      : Effect.sleep(millis)
  )
}

/**
 * Whether a restart because of the error is not counted: waiting heals it, or whoever has the certificates and the users of
 * the broker does. The subscriber ran before.
 */
export const isBlameless = (error: BrokerError | undefined): boolean =>
  error !== undefined && (error.isRetryable ? !Watchdog.isAlarm(error) : connecting.has(error.reason._tag))

/** Why a process is not let in. */
const connecting: ReadonlySet<string> = new Set(["Authentication", "Tls", "Vhost"] satisfies ReadonlyArray<
  BrokerError["reason"]["_tag"]
>)

/** Counts the restarts of one subscriber in a sliding window of time. */
export class RestartBudget {
  private readonly max: number
  private readonly windowMillis: number
  private times: Array<number> = []
  private lastProgress = 0

  constructor({ max = 10, within = "10 minutes" }: RestartOptions) {
    this.max = max
    this.windowMillis = Duration.toMillis(Duration.fromInputUnsafe(within))
  }

  /**
   * Counts a restart and returns whether it was one too many. `progress` grows with each settled delivery; a
   * restart after progress starts a new count.
   */
  isExhausted(now: number, progress: number): boolean {
    if (progress !== this.lastProgress) this.times = []
    this.lastProgress = progress
    this.times = this.times.filter((time) => now - time < this.windowMillis)
    this.times.push(now)
    return this.times.length > this.max
  }
}
