/** Hooks around handling and publishing as functions that return Promises. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Around from "../../bus/Around.ts"
import type { PromiseRun } from "./PromiseRun.ts"

/**
 * The hooks of one concern. Either may be left out. Of several, each one surrounds those before it: the last one is the
 * outermost.
 */
export interface PromiseAround {
  /** It stands in errors. */
  readonly name: string
  /**
   * Around each attempt of each subscriber, within its deadline. What it rejects with is a failed attempt. A hook that
   * resolves without a call of `handle` has handled the event. `handle` runs in the async context of its caller, so that
   * an `AsyncLocalStorage` of the hook reaches the handler.
   */
  readonly handling?: (
    handle: () => Promise<void>,
    handled: Around.Handled & { readonly signal: AbortSignal }
  ) => Promise<unknown>
  /** Around each call of `publish` and `publishAll`. */
  readonly publishing?: (publish: () => Promise<void>, published: Around.Published) => Promise<unknown>
}

export interface PromiseHooks {
  /** Puts the hooks around the bus that this layer builds. */
  readonly around: <A, E, R>(bus: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R>
  /** Runs them by this from now on. Nothing is handled or published before. */
  readonly runBy: (promises: PromiseRun) => void
}

/** Throws an `OptionInvalid` that names what is wrong. */
export const make = (hooks: ReadonlyArray<PromiseAround>): PromiseHooks => {
  let promises: PromiseRun | undefined
  const hooked = (
    inner: Effect.Effect<unknown, Around.Passed>,
    call: (run: () => Promise<void>, signal: AbortSignal) => Promise<unknown>
  ): Effect.Effect<unknown, unknown> =>
    Effect.contextWith((context: Context.Context<never>) => {
      const calls = new InnerCalls(inner, context)
      const called = promises?.attempt((signal) => call(calls.run, signal)) ?? Effect.die(notYet)
      return Effect.onExit(called, calls.endedBy).pipe(Effect.andThen(calls.rest), Effect.catch(calls.passedOn))
    })
  const layers = hooks.map((hook) => {
    // Callers without types may pass anything: `Around.make` throws for what is no object.
    if (!Predicate.isObject(hook)) return Around.provide(Around.make(hook as never))
    const { handling, publishing, ...rest }: PromiseAround = hook
    return Around.provide(
      Around.make({
        ...rest,
        ...(handling !== undefined && {
          handling:
            typeof handling !== "function"
              ? handling
              : (handle: Effect.Effect<unknown, Around.Passed>, handled: Around.Handled) =>
                  hooked(handle, (run, signal) => handling(run, { ...handled, signal }))
        }),
        ...(publishing !== undefined && {
          publishing:
            typeof publishing !== "function"
              ? publishing
              : (publish: Effect.Effect<unknown, Around.Passed>, published: Around.Published) =>
                  hooked(publish, (run) => publishing(run, published))
        })
      })
    )
  })
  return {
    around: (bus) => layers.reduce((self, provide) => provide(self), bus),
    runBy: (run) => void (promises = run)
  }
}

const notYet = new Error("a hook ran before its bus was there")

/** The calls of what a hook surrounds. */
class InnerCalls {
  private readonly inner: Effect.Effect<unknown, Around.Passed>
  private readonly context: Context.Context<never>
  private readonly fibers = new Set<Fiber.Fiber<unknown, Around.Passed>>()
  /** By what their Promises rejected with. */
  private readonly failures = new Map<unknown, Cause.Cause<Around.Passed>>()

  constructor(inner: Effect.Effect<unknown, Around.Passed>, context: Context.Context<never>) {
    this.inner = inner
    this.context = context
  }

  readonly run = (): Promise<void> => {
    const fiber = Effect.runForkWith(this.context)(this.inner)
    this.fibers.add(fiber)
    const done = new Promise<void>((resolve, reject) => {
      fiber.addObserver((exit) => {
        if (Exit.isSuccess(exit)) return resolve()
        const error = Cause.squash(exit.cause)
        this.failures.set(error, exit.cause)
        reject(error)
      })
    })
    // A hook may not wait for it: `rest` does then, and this rejection is nobody's.
    done.catch(() => {})
    return done
  }

  /** What the hook rejected with: the failure of what it surrounds, which keeps its kind, or one of its own. */
  readonly passedOn = (error: unknown): Effect.Effect<never, unknown> => {
    const cause = this.failures.get(error)
    return cause === undefined ? Effect.fail(error) : Effect.failCause(cause)
  }

  /** A hook that fails, or is interrupted, leaves nothing running. */
  readonly endedBy = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Exit.isSuccess(exit) ? Effect.void : Fiber.interruptAll(this.fibers)

  /** What a hook has begun and not waited for is part of the attempt. What it has waited for, it has judged. */
  readonly rest: Effect.Effect<void, Around.Passed> = Effect.suspend(() =>
    Effect.forEach(
      [...this.fibers].filter((fiber) => fiber.pollUnsafe() === undefined),
      (fiber) => Fiber.join(fiber),
      { discard: true }
    )
  )
}
