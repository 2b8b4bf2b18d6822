/**
 * The deadlines of a subscriber's handlers. One fiber watches them instead of a timer for each: every handler
 * gets the same time, so the one that started first is due first.
 */
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { RenewedSet } from "../support/RenewedSet.ts"
import type { Work } from "../delivery/Work.ts"

/** How long a handler may take to end once it is interrupted. */
const zombieGraceMillis = 5000
/** No command of a store may take longer: see `commandTimeout`. */
const storeMillis = 60_000

/** Interrupts handlers at their deadline, and reports the ones that do not end then either, until the scope ends. */
export const watch = Effect.fnUntraced(function* (options: {
  /** In the order of their starts, unless a store may be asked before a handler begins. */
  readonly running: RenewedSet<Work>
  readonly asksStores: boolean
  /** Open while any handler runs. */
  readonly hasRunning: Latch.Latch
  readonly deadlineMillis: number
  readonly onZombie: (work: Work) => void
}) {
  const { asksStores, deadlineMillis, hasRunning, onZombie, running } = options
  const monotonic = yield* Monotonic.make

  /** Returns the milliseconds until the next check. */
  const check = (): number => {
    const now = monotonic()
    let next = deadlineMillis
    for (const work of running) {
      if (work.zombie) continue
      const overdue = now - work.startedAt - deadlineMillis - (work.awaitsStore ? storeMillis : 0)
      if (overdue < 0) {
        next = Math.min(next, -overdue)
        if (asksStores) continue
        return next
      }
      if (overdue >= zombieGraceMillis) onZombie(work)
      else {
        if (!work.timedOut) {
          work.timedOut = true
          work.running?.interruptUnsafe()
        }
        next = Math.min(next, zombieGraceMillis - overdue)
      }
    }
    return next
  }
  yield* Effect.forkScoped(
    Effect.forever(Effect.flatMap(hasRunning.await, () => Effect.suspend(() => Effect.sleep(check()))))
  )
})
