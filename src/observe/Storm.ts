/**
 * Sums up a storm: of lines that say the same, the first few of a while are written, and then how many
 * more there were. A broken dependency makes ten thousand of them in a minute, and they hide all others.
 */
import type { Fiber } from "effect"
import { Clock, type Context, Context as Contexts, Effect } from "effect"

export interface Storm {
  /** Whether to write a line with this meaning; what is not written is counted. */
  readonly admits: (meaning: string, summary: (more: number, seconds: number) => void) => boolean
  /** Tells what is counted now, and waits for nothing any more. */
  readonly flush: () => void
}

interface Window {
  written: number
  more: number
  readonly startedAt: number
  readonly summary: (more: number, seconds: number) => void
  readonly end: Fiber.Fiber<void>
}

const windowMillis = 10_000
const writtenAtMost = 10
/** Meanings that are told apart; more of them at once are one. */
const maxMeanings = 200
const others = "(others)"

export const make = (context: Context.Context<never>): Storm => {
  const clock = Contexts.get(context, Clock.Clock)
  const run = Effect.runForkWith(context)
  const windows = new Map<string, Window>()

  const close = (meaning: string): void => {
    const window = windows.get(meaning)
    windows.delete(meaning)
    if (window === undefined || window.more === 0) return
    window.summary(window.more, Math.max(1, Math.round((clock.currentTimeMillisUnsafe() - window.startedAt) / 1000)))
  }

  return {
    admits: (wanted, summary) => {
      const meaning = windows.has(wanted) || windows.size < maxMeanings ? wanted : others
      let window = windows.get(meaning)
      if (window === undefined) {
        const ending = Effect.andThen(
          Effect.sleep(windowMillis),
          Effect.sync(() => close(meaning))
        )
        window = { written: 0, more: 0, startedAt: clock.currentTimeMillisUnsafe(), summary, end: run(ending) }
        windows.set(meaning, window)
      }
      if (window.written < writtenAtMost) {
        window.written++
        return true
      }
      window.more++
      return false
    },
    flush: () => {
      for (const [meaning, { end }] of windows) {
        end.interruptUnsafe()
        close(meaning)
      }
    }
  }
}
