/** The replays and discards that run in this server, and how far they are. */
import * as Effect from "effect/Effect"
import type { Progress } from "../operations/letters/DeadLetterOperations.ts"
import type * as WebReports from "./WebReports.ts"

type Running = (typeof WebReports.Work.Type)["running"][number]

export class RunningWork {
  private readonly running = new Set<Running>()

  /** Shows the work while it runs. */
  during<A, E, R>(
    about: Pick<Running, "work" | "verb" | "source" | "by" | "dryRun">,
    run: (progress: Progress) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.clockWith((clock) => {
      const startedAt = new Date(clock.currentTimeMillisUnsafe()).toISOString()
      let shown: Running = { ...about, startedAt, done: 0, found: null }
      const show = (next: Running): void => {
        this.running.delete(shown)
        this.running.add((shown = next))
      }
      return Effect.suspend(() => {
        show(shown)
        return run((done, found) => show({ ...shown, done, found }))
      }).pipe(Effect.ensuring(Effect.sync(() => this.running.delete(shown))))
    })
  }

  report(): typeof WebReports.Work.Type {
    return { kind: "work", version: 1, running: [...this.running] }
  }
}
