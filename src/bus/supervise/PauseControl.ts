/**
 * Decides whether a subscriber pauses. Its owner, an operator, its breaker and for short waits its rate limit can ask
 * for it; it runs when none of them does. When the open time of the breaker is over, a single handler runs as a probe
 * until an attempt succeeds.
 */
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Log from "../../observe/Log.ts"
import type { SubscriberRefusal } from "../admit/Admission.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import type { OperatorPause } from "../port/Fleet.ts"
import * as FleetMember from "./FleetMember.ts"

export interface PauseControl {
  /** Pauses or resumes at the owner's request. */
  readonly request: (pause: boolean) => Effect.Effect<void>
  /** Pauses or resumes at the request of an operator, who has paused the subscriber in all processes. */
  readonly obey: (pause: OperatorPause | undefined) => Effect.Effect<void>
  /** Called when consuming has begun: a pause of before held handlers back until here. */
  readonly begin: Effect.Effect<void>
  /** Called when the breaker or the rate limit admits nothing for this many milliseconds. */
  readonly refused: (refusal: SubscriberRefusal) => void
  /** Called when an attempt has succeeded. */
  readonly admitted: () => void
}

interface PauseParts {
  readonly subscriber: string
  readonly pause: (on: boolean) => void
  readonly runner: Runner
  readonly log: Log.Log
  /** Publishes the reason for the pause, or undefined when it ends. */
  readonly show: (reason: string | undefined) => Effect.Effect<void>
}

/** Why a subscriber is paused; it runs when there is no reason. */
class PauseReasons {
  owner = false
  breaker = false
  operator: OperatorPause | undefined

  areAny(): boolean {
    return this.owner || this.breaker || this.operator !== undefined
  }

  text(): string | undefined {
    const own = this.owner ? "its owner paused it" : this.breaker ? "its breaker is open" : undefined
    if (this.operator === undefined) return own
    const ordered = FleetMember.describe(this.operator)
    return own === undefined ? ordered : `${ordered}; ${own}, too`
  }
}

/** Works until the current scope ends. */
export const make = Effect.fnUntraced(function* (parts: PauseParts) {
  const { log, pause, runner, show, subscriber } = parts
  const runProbe = yield* FiberHandle.runtime(yield* FiberHandle.make<void>())<never>()
  const runRateWait = yield* FiberHandle.runtime(yield* FiberHandle.make<void>())<never>()
  const reasons = new PauseReasons()
  let hasBegun = false
  let halfOpen = false
  let paused = false

  const apply = Effect.suspend(() => {
    const wanted = reasons.areAny()
    const shown = show(reasons.text())
    if (!hasBegun) {
      // The start completes when there is a consumer, so the consumer is not paused before.
      runner.hold("pause", wanted)
      return shown
    }
    if (wanted === paused) return shown
    paused = wanted
    // The status comes first: resuming may run handlers synchronously.
    return Effect.andThen(
      shown,
      Effect.sync(() => pause(wanted))
    )
  })
  const holdForRate = (millis: number): void => {
    // Too short for a pause: consuming goes on, and the prefetch bounds what is held.
    runner.hold("rate", true)
    runRateWait(
      Effect.andThen(
        Effect.sleep(millis),
        Effect.sync(() => runner.hold("rate", false))
      )
    )
  }
  const openBreaker = (millis: number): void => {
    reasons.breaker = true
    halfOpen = true
    // Synchronously: the next event must not be attempted before the fiber below starts.
    runner.setLimit(0)
    log.warning("the breaker is open", { subscriber, millis })
    const probe = Effect.suspend(() => {
      reasons.breaker = false
      runner.setLimit(1)
      return apply
    })
    runProbe(apply.pipe(Effect.andThen(Effect.sleep(millis)), Effect.andThen(probe)))
  }

  return {
    request: (on) =>
      Effect.suspend(() => {
        if (reasons.owner === on) return Effect.void
        reasons.owner = on
        return apply
      }),
    obey: (pause) =>
      Effect.suspend(() => {
        reasons.operator = pause
        return apply
      }),
    begin: Effect.suspend(() => {
      hasBegun = true
      return reasons.areAny() ? apply : Effect.void
    }),
    refused: ({ _tag, millis }) => {
      if (_tag === "RateLimited") holdForRate(millis)
      else if (!reasons.breaker) openBreaker(millis)
    },
    admitted: () => {
      if (!halfOpen || reasons.breaker) return
      halfOpen = false
      log.info("the breaker is closed", { subscriber })
      runner.setLimit(Number.POSITIVE_INFINITY)
    }
  } satisfies PauseControl
})
