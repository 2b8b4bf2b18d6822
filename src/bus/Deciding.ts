/**
 * Decisions on deliveries that were not handled, each in a fiber of its own, and what follows from them:
 * a delivery leaves, runs again, or is parked. Meanwhile its lane is its own.
 */
import { Cause, Effect, Exit, type Fiber } from "effect"
import type { Mailbox } from "./Mailbox.ts"
import type { Parking } from "./Parking.ts"
import type { Decision, Work } from "./Work.ts"

export const make = (options: {
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<unknown, unknown>
  readonly box: Mailbox<Work>
  /** Set before the first decision. */
  readonly parking: () => Parking | undefined
  /** It is settled, or not ours any more; `inLane` is whether its key was taken by it. */
  readonly release: (work: Work, inLane: boolean) => void
  /** It is settled, and its copy has its lane. */
  readonly forget: (work: Work) => void
  readonly pump: () => void
  readonly failed: (work: Work, detail: string) => void
}) => {
  const { box, failed, forget, parking, pump, release, run } = options
  const under = new Map<Work, Fiber.Fiber<unknown, unknown>>()

  const follow = (work: Work, next: Decision, inLane: boolean): void => {
    if (next === "moved") {
      forget(work)
      return parking()?.moved(work)
    }
    if (next === "settled" || work.delivery.lost()) return release(work, inLane)
    if (next === "again") return box.again(work, work.event.key)
    const park = parking()?.park(work, next)
    if (park === undefined) release(work, inLane)
    else decide(work, park, inLane)
  }
  const decide = (work: Work, decision: Effect.Effect<Decision>, inLane = true): void => {
    const fiber = run(
      Effect.asVoid(
        Effect.onExitPrimitive(decision, (exit) => {
          work.wake = undefined
          // It stays unacknowledged: the broker brings it again when the channel closes.
          if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) failed(work, Cause.pretty(exit.cause))
          under.delete(work)
          follow(work, Exit.isSuccess(exit) ? exit.value : "settled", inLane)
          pump()
          return undefined
        })
      )
    )
    if (fiber.pollUnsafe() === undefined && !under.has(work)) under.set(work, fiber)
  }

  return {
    decide,
    has: (work: Work): boolean => under.has(work),
    size: (): number => under.size,
    /** Ends those of these deliveries: what was not sent yet never will be. */
    interrupt: (which: (work: Work) => boolean): void => {
      for (const [work, fiber] of under) if (which(work)) fiber.interruptUnsafe()
    }
  }
}
