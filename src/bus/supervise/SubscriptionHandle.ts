/**
 * The handle of a running subscriber that its user holds.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as ControlMessage from "../delivery/ControlMessage.ts"
import type { Copies } from "../delivery/Copies.ts"
import type { Counters } from "../delivery/PolicyParts.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import type { Parking } from "../park/Parking.ts"
import * as OptionChecks from "../subscriber/OptionChecks.ts"
import { SubscribeError, SubscriberInvalid } from "../subscriber/SubscribeError.ts"
import type { SubscriberStats, Subscription } from "../subscriber/Subscription.ts"
import type { PauseControl } from "./PauseControl.ts"
import type { QueueLook } from "./QueueLook.ts"
import type { StatusTracker } from "./Status.ts"

export interface HandleParts {
  readonly subscriber: {
    readonly name: string
    readonly ordering: "none" | "key"
    readonly onBlocked: "dead-letter" | "park"
  }
  readonly clock: Clock.Clock
  readonly status: StatusTracker
  readonly counters: Counters
  readonly runner: Runner
  readonly parking: Parking | undefined
  readonly pauseControl: PauseControl
  readonly copies: Copies
  readonly nextId: () => string
  readonly call: { readonly setConcurrency: (count: number) => void }
  readonly look: Pick<QueueLook, "depth" | "fault">
  readonly drain: Effect.Effect<boolean>
  readonly stop: Effect.Effect<void>
}

export const make = (parts: HandleParts): Subscription => {
  const { call, clock, counters, look, parking, pauseControl, runner, status, subscriber } = parts
  const { name, ordering } = subscriber
  const stats = (): SubscriberStats => ({
    ...counters,
    held: runner.held(),
    inFlight: runner.running(),
    zombies: runner.zombies(),
    parked: parking?.count() ?? 0,
    lanes: runner.lanes(),
    ...runner.waiting()
  })
  return {
    name,
    status: status.ref,
    stats: Effect.sync(stats),
    tree: Effect.sync(() => ({
      ...SubscriptionRef.getUnsafe(status.ref),
      ...stats(),
      name,
      ordering,
      lag: { ready: look.depth()?.ready, oldest: runner.oldest(), fault: look.fault() },
      keys: runner.keys()
    })),
    drain: parts.drain,
    stop: parts.stop,
    pause: pauseControl.request(true),
    resume: pauseControl.request(false),
    release: (key) =>
      ControlMessage.release(subscriber, parts.copies, parts.nextId(), clock.currentTimeMillisUnsafe(), key),
    setConcurrency: (count) =>
      Effect.suspend(() => {
        const checked = OptionChecks.concurrency(count)
        if (Result.isFailure(checked)) {
          return Effect.fail(new SubscribeError({ subscriber: name, reason: checked.failure }))
        }
        const { _tag, cause } = SubscriptionRef.getUnsafe(status.ref)
        if (_tag === "Stopped") return Effect.fail(ended(name, cause))
        call.setConcurrency(count)
        runner.setConcurrency(count)
        return Effect.void
      })
  }
}

const ended = (subscriber: string, how: string | undefined): SubscribeError =>
  new SubscribeError({
    subscriber,
    reason: new SubscriberInvalid({
      option: "concurrency",
      problem: `the subscriber has ended (${how ?? "the bus is closed"}): nothing runs any more`,
      remedy: "Subscribe again"
    })
  })
