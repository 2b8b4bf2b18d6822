/**
 * Runs a service: launches its layer and drains it on SIGTERM or SIGINT. A drain is bounded (P12). The exit code
 * is 0 after a whole drain and 1 when something was cut off or the service failed; a second signal exits with 1
 * at once. Effect's own `runMain` exits with 130 and ignores a second signal.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import { CurrentShutdown, type Shutdown } from "../bus/support/Shutdown.ts"

export interface RunMainOptions {
  /**
   * Longest time from the signal to the end of the process, whatever is still running. Default: 28 seconds, or
   * 3 seconds more than `drainTimeout` where that is longer. Both fit into the 30 seconds that Kubernetes gives
   * by default.
   */
  readonly deadline?: Duration.Input
}

/**
 * Runs a layer or an Effect as the whole program: launches it, drains it on SIGTERM or SIGINT, and exits.
 *
 * @example
 * ```ts
 * import { type EventBus, EventBusLive, runMain } from "@eduflow/events"
 * import { Layer } from "effect"
 *
 * declare const GradeMailer: Layer.Layer<never, never, EventBus>
 * export const start = () => runMain(GradeMailer.pipe(Layer.provide(EventBusLive)))
 * ```
 */
export const runMain = <A, E>(main: Layer.Layer<A, E> | Effect.Effect<A, E>, options: RunMainOptions = {}): void => {
  OptionInvalid.check("runMain", options, { deadline: Kinds.time } satisfies Kinds.KindsOf<RunMainOptions>)
  const failed = Deferred.makeUnsafe<never, Error>()
  const shutdown: Shutdown = {
    cutOff: false,
    fail: (error: Error): void => void Deferred.doneUnsafe(failed, Exit.fail(error))
  }
  const launched: Effect.Effect<unknown, E> = isEffect(main) ? main : Layer.launch(main)
  const program: Effect.Effect<unknown, E | Error> = Effect.raceFirst(launched, Deferred.await(failed))
  const deadline =
    options.deadline === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(options.deadline))
  let signalled = false
  const teardown: Runtime.Teardown = (exit, onExit) =>
    signalled && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
      ? onExit(shutdown.cutOff ? 1 : 0)
      : Runtime.defaultTeardown(exit, (code) => onExit(code === 0 && shutdown.cutOff ? 1 : code))

  run(Effect.provideService(program, CurrentShutdown, shutdown), { teardown })

  function run(effect: Effect.Effect<unknown, unknown>, settings: { readonly teardown: Runtime.Teardown }): void {
    Runtime.makeRunMain(({ fiber, teardown }) => {
      const onSignal = (): void => {
        if (signalled) process.exit(1)
        signalled = true
        // A timer of Node, since it must outlive Effect's runtime: it ends a process that does not drain.
        const millis = deadline ?? Math.max(28_000, (shutdown.budget ?? 0) + 3000)
        setTimeout(() => {
          Effect.runSyncExit(Effect.logError(`the process did not end within ${millis} ms of the signal and is killed`))
          process.exit(1)
        }, millis).unref()
        fiber.interruptUnsafe()
      }
      process.on("SIGTERM", onSignal)
      process.on("SIGINT", onSignal)
      fiber.addObserver((exit) => {
        process.off("SIGTERM", onSignal)
        process.off("SIGINT", onSignal)
        teardown(exit, (code) => process.exit(code))
      })
    })(effect, settings)
  }
}

const isEffect = <A, E>(main: Layer.Layer<A, E> | Effect.Effect<A, E>): main is Effect.Effect<A, E> =>
  Effect.isEffect(main)
