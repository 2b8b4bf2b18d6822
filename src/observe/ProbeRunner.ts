/**
 * Runs probes, each within a deadline. A probe that cannot be interrupted is reported as down and not run again
 * until it ends, so that a hanging resource does not collect fibers.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Probe, ProbeResult } from "./HealthReport.ts"

export class ProbeRunner {
  /** Fibers that ignored their interruption, by the name of the probe. */
  private readonly hanging = new Map<string, Fiber.Fiber<ProbeResult>>()
  private readonly deadline: Duration.Duration
  private readonly late: ProbeResult

  constructor(deadline: Duration.Duration) {
    this.deadline = deadline
    this.late = { status: "down", detail: `no answer within ${Duration.format(deadline)}` }
  }

  run(probe: Probe): Effect.Effect<ProbeResult> {
    return Effect.suspend(() => {
      const stuck = this.hanging.get(probe.name)
      if (stuck !== undefined && stuck.pollUnsafe() === undefined) return Effect.succeed(this.late)
      this.hanging.delete(probe.name)
      return this.runWithin(probe)
    })
  }

  private runWithin(probe: Probe): Effect.Effect<ProbeResult> {
    const { deadline, hanging, late } = this
    return Effect.gen(function* () {
      const answer = yield* Deferred.make<ProbeResult>()
      const guarded = Effect.catchCause(probe.check, (cause) =>
        Effect.succeed<ProbeResult>({ status: "down", detail: reasonOf(cause) })
      )
      // Detached, so that a probe that cannot be interrupted is not awaited. Started immediately, so that a busy
      // event loop does not look like a probe that does not answer.
      const fiber = yield* Effect.forkDetach(
        Effect.tap(guarded, (result) => Deferred.succeed(answer, result)),
        { startImmediately: true }
      )
      const result = yield* Effect.timeoutOption(Deferred.await(answer), deadline)
      if (Option.isSome(result)) return result.value
      hanging.set(probe.name, fiber)
      fiber.interruptUnsafe()
      return late
    })
  }
}

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const squashed = Cause.squash(cause)
  return squashed instanceof Error ? squashed.message : "the probe failed"
}
