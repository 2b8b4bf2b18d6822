/**
 * What a subscriber does now, for everybody to see. Once it drains, nothing but the end of that is told any
 * more; a pause is told whatever the consumer does.
 */
import { Clock, Effect, SubscriptionRef } from "effect"
import type { Status, SubscriberStatus } from "./Subscription.ts"

export const make = Effect.fnUntraced(function* (restarts: () => number) {
  const clock = yield* Clock.Clock
  const now = (): Date => new Date(clock.currentTimeMillisUnsafe())
  const status = yield* SubscriptionRef.make<SubscriberStatus>({
    _tag: "Starting",
    since: now(),
    restarts: 0,
    cause: undefined
  })
  let ending = false
  /** Why it pauses, if it does. */
  let paused: string | undefined
  return {
    status,
    pauses: (why: string | undefined): void => {
      paused = why
    },
    become: (tag: Status, cause?: string) =>
      Effect.suspend(() => {
        if (ending && tag !== "Stopped") return Effect.void
        ending = tag === "Draining" || tag === "Failed" || ending
        const shown = paused !== undefined && (tag === "Running" || tag === "Restarting") ? "Paused" : tag
        return SubscriptionRef.set(status, { _tag: shown, since: now(), restarts: restarts(), cause: cause ?? paused })
      })
  }
})
