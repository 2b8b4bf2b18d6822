/**
 * Deadlines of handlers, by one fiber for all of them instead of a timer for each: they have one length,
 * so who started first is due first.
 */
import { Clock, Effect, type Latch } from "effect"
import type { Population } from "./Population.ts"
import type { Work } from "./Work.ts"

/** What a handler may take to end once it was interrupted. */
const zombieGraceMillis = 5000

/** Interrupts what is overdue, and buries what does not end then either, until the scope ends. */
export const watch = Effect.fnUntraced(function* (options: {
  /** In the order of their starts. */
  readonly running: Population<Work>
  /** Open while there are any. */
  readonly hasRunning: Latch.Latch
  readonly deadlineMillis: number
  readonly bury: (work: Work) => void
}) {
  const { bury, deadlineMillis, hasRunning, running } = options
  const clock = yield* Clock.Clock

  /** Milliseconds until the next look. */
  const look = (): number => {
    const now = clock.currentTimeMillisUnsafe()
    let next = deadlineMillis
    for (const work of running) {
      if (work.zombie) continue
      const overdue = now - work.startedAt - deadlineMillis
      if (overdue < 0) return Math.min(next, -overdue)
      if (overdue >= zombieGraceMillis) bury(work)
      else {
        if (!work.timedOut) {
          work.timedOut = true
          work.fiber?.interruptUnsafe()
        }
        next = Math.min(next, zombieGraceMillis - overdue)
      }
    }
    return next
  }
  yield* Effect.forkScoped(
    Effect.forever(Effect.flatMap(hasRunning.await, () => Effect.suspend(() => Effect.sleep(look()))))
  )
})
