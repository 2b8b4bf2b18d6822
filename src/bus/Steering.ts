/**
 * Who wants a subscriber to pause: its owner, its breaker, or for moments its rate limit. It runs when
 * nobody does. When the breaker's time is up it runs with one handler, the probe, until an attempt has succeeded.
 */
import { Effect, FiberHandle } from "effect"
import type * as Log from "../observe/Log.ts"
import type { Runner } from "./Work.ts"

export interface Steering {
  /** The owner's wish. */
  readonly ask: (pause: boolean) => Effect.Effect<void>
  /** The breaker, or the rate limit, lets nothing through for so many milliseconds. */
  readonly refused: (refusal: { readonly _tag: string; readonly millis: number }) => void
  /** An attempt succeeded. */
  readonly admitted: () => void
}

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (options: {
  readonly subscriber: string
  readonly pause: (on: boolean) => void
  readonly runner: Runner
  readonly log: Log.Log
  /** Tells why it pauses, or that it does not. */
  readonly become: (why: string | undefined) => Effect.Effect<void>
}) {
  const { become, log, pause, runner, subscriber } = options
  const probing = yield* FiberHandle.make<void>()
  const run = yield* FiberHandle.runtime(probing)<never>()
  const wait = yield* FiberHandle.runtime(yield* FiberHandle.make<void>())<never>()
  let asked = false
  let open = false
  let halfOpen = false
  let paused = false

  const settle = Effect.suspend(() => {
    const wanted = asked || open
    const told = become(asked ? "asked to" : open ? "its breaker is open" : undefined)
    if (wanted === paused) return told
    paused = wanted
    // Told first: whoever resumes may run handlers within the call.
    return Effect.andThen(
      told,
      Effect.sync(() => pause(wanted))
    )
  })

  return {
    ask: (on) =>
      Effect.suspend(() => {
        if (asked === on) return Effect.void
        asked = on
        return settle
      }),
    refused: ({ _tag, millis }) => {
      if (_tag === "Enough") {
        // Too short for a pause: it goes on consuming, and what it holds is bounded by the prefetch.
        runner.hold("rate", true)
        return void wait(
          Effect.andThen(
            Effect.sleep(millis),
            Effect.sync(() => runner.hold("rate", false))
          )
        )
      }
      if (open) return
      open = true
      halfOpen = true
      // At once: the next one must not be tried before the fiber below has begun.
      runner.setLimit(0)
      log.warning("the breaker is open", { subscriber, millis })
      run(
        settle.pipe(
          Effect.andThen(Effect.sleep(millis)),
          Effect.andThen(
            Effect.suspend(() => {
              open = false
              runner.setLimit(1)
              return settle
            })
          )
        )
      )
    },
    admitted: () => {
      if (!halfOpen || open) return
      halfOpen = false
      log.info("the breaker is closed", { subscriber })
      runner.setLimit(Number.POSITIVE_INFINITY)
    }
  } satisfies Steering
})
