/**
 * Throttles repeated logs: of entries with the same meaning, the first few in a time window are written and the rest
 * are summed up in one entry. A broken dependency causes ten thousand entries a minute, which would hide all others.
 */
import type * as Fiber from "effect/Fiber"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Contexts from "effect/Context"
import * as Monotonic from "./Monotonic.ts"
import * as Effect from "effect/Effect"

export interface LogThrottle {
  /** Whether an entry with this meaning is written now; if not, it is counted. `summary` writes the count. */
  readonly admits: (meaning: string, summary: (suppressed: number, seconds: number) => void) => boolean
  /**
   * Writes all summaries now and ends every window. From then on no timer is started, which would keep the process
   * alive: the summary of a window is written with the first entry after it.
   */
  readonly flush: () => void
}

interface Window {
  written: number
  suppressed: number
  readonly startedAt: number
  readonly summary: (suppressed: number, seconds: number) => void
  /** Undefined in windows that were opened after the last flush. */
  readonly timer: Fiber.Fiber<void> | undefined
}

const windowMillis = 10_000
const maxWritten = 10
/** Most meanings with a window of their own. Any others share one. */
const maxMeanings = 200
const otherMeanings = "(others)"

export const make = (context: Context.Context<never>): LogThrottle => {
  const now = Monotonic.of(Contexts.get(context, Clock.Clock))
  const run = Effect.runForkWith(context)
  const windows = new Map<string, Window>()
  let isFlushed = false

  const close = (meaning: string): void => {
    const window = windows.get(meaning)
    windows.delete(meaning)
    if (window === undefined || window.suppressed === 0) return
    const seconds = Math.max(1, Math.round((now() - window.startedAt) / 1000))
    window.summary(window.suppressed, seconds)
  }

  const open = (meaning: string, summary: Window["summary"]): Window => {
    const closeLater = Effect.andThen(
      Effect.sleep(windowMillis),
      Effect.sync(() => close(meaning))
    )
    const startedAt = now()
    const timer = isFlushed ? undefined : run(closeLater)
    const window: Window = { written: 0, suppressed: 0, startedAt, summary, timer }
    windows.set(meaning, window)
    return window
  }

  const isOver = (window: Window | undefined): boolean =>
    window !== undefined && now() - window.startedAt >= windowMillis

  return {
    admits: (wanted, summary) => {
      const meaning = windows.has(wanted) || windows.size < maxMeanings ? wanted : otherMeanings
      if (isFlushed && isOver(windows.get(meaning))) close(meaning)
      const window = windows.get(meaning) ?? open(meaning, summary)
      if (window.written < maxWritten) {
        window.written++
        return true
      }
      window.suppressed++
      return false
    },
    flush: () => {
      isFlushed = true
      for (const [meaning, { timer }] of windows) {
        timer?.interruptUnsafe()
        close(meaning)
      }
    }
  }
}
