/**
 * A delivery that waits in the process: for a while, or until something ends the wait early.
 */
import { Effect } from "effect"
import type { Disturbance, Work } from "./Work.ts"

/** Why it waits no more. Its lane waits with it, and nobody else. */
export const wait = (work: Work, millis: number): Effect.Effect<"elapsed" | Disturbance> =>
  Effect.suspend(() => {
    // Nobody would wake it: its consumer went between the decision and now.
    if (work.delivery.lost()) return Effect.succeed("Lost" as const)
    return Effect.callback<Disturbance>((resume) => {
      work.wake = (why) => resume(Effect.succeed(why))
    }).pipe(
      Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.succeed("elapsed" as const) }),
      Effect.ensuring(
        Effect.sync(() => {
          work.wake = undefined
        })
      )
    )
  })
