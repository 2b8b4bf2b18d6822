/**
 * Decides whether a subscriber pauses. Its owner, its breaker and for short waits its rate limit can ask for it;
 * it runs when none of them does. When the open time of the breaker is over, a single handler runs as a probe
 * until an attempt succeeds.
 */
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Log from "../../observe/Log.ts"
import type { SubscriberRefusal } from "../admit/Admission.ts"
import type { Runner } from "../handle/RunnerApi.ts"

export interface PauseControl {
  /** Pauses or resumes at the owner's request. */
  readonly request: (pause: boolean) => Effect.Effect<void>
  /** Called when the breaker or the rate limit admits nothing for this many milliseconds. */
  readonly refused: (refusal: SubscriberRefusal) => void
  /** Called when an attempt has succeeded. */
  readonly admitted: () => void
}

/** Works until the current scope ends. */
export const make = Effect.fnUntraced(function* (options: {
  readonly subscriber: string
  readonly pause: (on: boolean) => void
  readonly runner: Runner
  readonly log: Log.Log
  /** Publishes the reason for the pause, or undefined when it ends. */
  readonly show: (reason: string | undefined) => Effect.Effect<void>
}) {
  const { log, pause, runner, show, subscriber } = options
  const runProbe = yield* FiberHandle.runtime(yield* FiberHandle.make<void>())<never>()
  const runRateWait = yield* FiberHandle.runtime(yield* FiberHandle.make<void>())<never>()
  let requested = false
  let breakerOpen = false
  let halfOpen = false
  let paused = false

  const apply = Effect.suspend(() => {
    const wanted = requested || breakerOpen
    const shown = show(requested ? "its owner paused it" : breakerOpen ? "its breaker is open" : undefined)
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
    breakerOpen = true
    halfOpen = true
    // Synchronously: the next event must not be attempted before the fiber below starts.
    runner.setLimit(0)
    log.warning("the breaker is open", { subscriber, millis })
    const probe = Effect.suspend(() => {
      breakerOpen = false
      runner.setLimit(1)
      return apply
    })
    runProbe(apply.pipe(Effect.andThen(Effect.sleep(millis)), Effect.andThen(probe)))
  }

  return {
    request: (on) =>
      Effect.suspend(() => {
        if (requested === on) return Effect.void
        requested = on
        return apply
      }),
    refused: ({ _tag, millis }) => {
      if (_tag === "RateLimited") holdForRate(millis)
      else if (!breakerOpen) openBreaker(millis)
    },
    admitted: () => {
      if (!halfOpen || breakerOpen) return
      halfOpen = false
      log.info("the breaker is closed", { subscriber })
      runner.setLimit(Number.POSITIVE_INFINITY)
    }
  } satisfies PauseControl
})
