/**
 * Runs a service: launches its layer, and on SIGTERM or SIGINT drains it. Exit code 0 when it was
 * drained, 1 when something had to be cut off or the service failed; a second signal exits with 1 at
 * once (P12). Effect's own `runMain` exits with 130 and does not hear the second signal.
 */
import { Cause, Deferred, Effect, Exit, Layer, Runtime } from "effect"
import { CurrentShutdown, type Shutdown } from "../bus/Shutdown.ts"

export interface RunMainOptions {
  /**
   * Milliseconds after which the process ends whatever is left. Default 28,000: the drain's 25 seconds
   * and the closing of what is outside of the bus, within the 30 that Kubernetes gives; 3,000 more than the
   * drain where that was given more time.
   */
  readonly deadlineMillis?: number
}

/**
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
  const failed = Deferred.makeUnsafe<never, Error>()
  const shutdown: Shutdown = {
    cutOff: false,
    fail: (error: Error): void => void Deferred.doneUnsafe(failed, Exit.fail(error))
  }
  const launched: Effect.Effect<unknown, E> = isEffect(main) ? main : Layer.launch(main)
  const program: Effect.Effect<unknown, E | Error> = Effect.raceFirst(launched, Deferred.await(failed))
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
        // The only timer that must outlive Effect's runtime: it ends a process that does not drain.
        const millis = options.deadlineMillis ?? Math.max(28_000, (shutdown.budget ?? 0) + 3000)
        setTimeout(() => {
          Effect.runSyncExit(Effect.logError(`the process did not end within ${millis} ms of the signal: it is ended`))
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
