/**
 * The published status of a subscriber. Once it drains or has failed, only its end changes the status. A pause is
 * shown in place of "Running" and "Restarting", whatever its consumer does.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Status, SubscriberStatus } from "../subscriber/Subscription.ts"

export class StatusTracker {
  readonly ref: SubscriptionRef.SubscriptionRef<SubscriberStatus>
  restarts = 0
  private readonly clock: Clock.Clock
  private current: Status = "Starting"
  private isEnding = false
  private isOver = false
  private pauseReason: string | undefined

  constructor(ref: SubscriptionRef.SubscriptionRef<SubscriberStatus>, clock: Clock.Clock) {
    this.ref = ref
    this.clock = clock
  }

  isRunning(): boolean {
    return SubscriptionRef.getUnsafe(this.ref)._tag === "Running"
  }

  become(status: Status, cause?: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isOver || (this.isEnding && status !== "Stopped")) return Effect.void
      this.isEnding = this.isEnding || status === "Draining" || status === "Failed"
      this.current = status
      return this.publish(cause)
    })
  }

  /** The end, which is shown once and for good. A subscriber that had failed keeps the cause of that. */
  end(how: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isOver) return Effect.void
      this.isOver = this.isEnding = true
      const cause = this.current === "Failed" ? SubscriptionRef.getUnsafe(this.ref).cause : undefined
      this.current = "Stopped"
      return this.publish(cause ?? how)
    })
  }

  /** Shows a pause with its reason, or its end. */
  setPause(reason: string | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.pauseReason = reason
      return this.isEnding ? Effect.void : this.publish(undefined)
    })
  }

  private publish(cause: string | undefined): Effect.Effect<void> {
    const isPaused = this.pauseReason !== undefined && (this.current === "Running" || this.current === "Restarting")
    return SubscriptionRef.set(this.ref, {
      _tag: isPaused ? "Paused" : this.current,
      since: new Date(this.clock.currentTimeMillisUnsafe()),
      restarts: this.restarts,
      cause: cause ?? (isPaused ? this.pauseReason : undefined)
    })
  }
}

export const make = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const ref = yield* SubscriptionRef.make<SubscriberStatus>({
    _tag: "Starting",
    since: new Date(clock.currentTimeMillisUnsafe()),
    restarts: 0,
    cause: undefined
  })
  return new StatusTracker(ref, clock)
})
