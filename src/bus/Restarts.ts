/**
 * How often a subscriber may start again without making progress, before it is given up as Failed. What a
 * broker in trouble will get over by itself does not count: it is waited for, however long it takes.
 */
import { Duration, Effect, Random, Stream, SubscriptionRef } from "effect"
import type { Broker } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import * as Watchdog from "./Watchdog.ts"

export interface RestartOptions {
  /** Restarts without progress that are too many. Default 10. */
  readonly max?: number
  /** In so much time. Default 10 minutes. */
  readonly within?: Duration.Input
  /**
   * What then: it stays Failed and health tells (default), or the layer fails, and with it the whole service:
   * `runMain` ends with exit code 1, for whoever runs it to start it again.
   */
  readonly then?: "stay failed" | "fail the layer"
}

/** After the broker is back: the subscribers of a fleet must not come together. */
const spreadMillis = 1000

/** Waits so long, or until a broker that is away is back. */
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

/** Whether waiting heals it. */
export const isBlameless = (error: BrokerError | undefined): boolean =>
  error !== undefined && error.isRetryable && !Watchdog.isAlarm(error)

export const make = ({ max = 10, within = "10 minutes" }: RestartOptions) => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(within))
  let times: Array<number> = []
  let known = 0
  return {
    /** Counts one; whether that was one too many. `progress` grows with what was settled. */
    spent: (now: number, progress: number): boolean => {
      if (progress !== known) times = []
      known = progress
      times = times.filter((time) => now - time < millis)
      times.push(now)
      return times.length > max
    }
  }
}
