/**
 * Notices that a line does not answer any more, while its socket is open: the node hangs, or is cut off from its cluster.
 * Both keep their clients for ever. Nothing is asked while answers come anyway.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Answer } from "./LineProbe.ts"

export interface Watched {
  /** A line that does not answer for this long is silent; one at rest is asked as often. */
  readonly millis: number
  /** Changes with each answer. */
  readonly pulse: () => number
  /** Whether something waits for an answer. */
  readonly isWaiting: () => boolean
  /** Whether the broker said that it does not answer now. */
  readonly isExcused: () => boolean
  /** Completes with an answer. */
  readonly ask: Effect.Effect<Answer, unknown>
  readonly onAnswer: () => void
  /**
   * Runs when it does not answer, and again while it does not. With `"answered"` the node answers, and what waits does not
   * get its answer.
   */
  readonly onSilent: (millis: number, last: Answer | undefined) => Effect.Effect<void>
}

/** Watches until it is interrupted. */
export const watch = ({
  ask,
  isExcused,
  isWaiting,
  millis,
  onAnswer,
  onSilent,
  pulse
}: Watched): Effect.Effect<never> =>
  Effect.gen(function* () {
    const now = yield* Monotonic.make
    let seen = pulse()
    let answeredAt = now()
    const hasAnswered = (): boolean => {
      const beat = pulse()
      if (beat === seen && !isExcused()) return false
      seen = beat
      return true
    }
    for (;;) {
      yield* Effect.sleep(millis / 10)
      const patience = isWaiting() ? millis / 2 : millis
      if (!hasAnswered()) {
        if (now() - answeredAt < patience) continue
        const answer = yield* within(ask, millis / 2, now)
        const isStuck = answer === "answered" && isWaiting()
        if ((answer === undefined || isStuck) && !hasAnswered()) {
          if (!isStuck || now() - answeredAt >= millis * 1.5) yield* onSilent(now() - answeredAt, answer)
          yield* Effect.sleep(millis / 2)
          continue
        }
      }
      answeredAt = now()
      onAnswer()
    }
  })

/** The answer, if it comes in time; a refusal is one. A process that stood still itself meanwhile asks again. */
export const within = (
  ask: Watched["ask"],
  millis: number,
  now: Monotonic.Monotonic
): Effect.Effect<Answer | undefined> =>
  Effect.gen(function* () {
    for (;;) {
      const begun = now()
      const exit = yield* Effect.timeoutOption(Effect.exit(ask), millis)
      if (Option.isSome(exit)) return Exit.isSuccess(exit.value) ? exit.value.value : "answered"
      if (now() - begun < millis * 1.2) return undefined
    }
  })
