/**
 * Runs the Effects of a bus as Promises, and its streams as async iterables.
 *
 * What a handler calls runs with the handler's context: its publishes are caused by the event being handled, belong
 * to its trace and are still accepted while the bus drains. Promises carry no context, Node's AsyncLocalStorage does.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { AsyncLocalStorage } from "node:async_hooks"
import { type Actor, CurrentActor } from "../../event/Actor.ts"
import { type BaggageInput, CurrentBaggage, fromInput, isInput } from "../../event/flow/Baggage.ts"
import { CurrentTenant } from "../../event/flow/Tenant.ts"
import * as OptionInvalid from "../../event/options/OptionInvalid.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import type { Services } from "../Live.ts"
import * as CallerStack from "./CallerStack.ts"
import * as ReturnedValue from "./ReturnedValue.ts"

export interface PromiseRun {
  /**
   * Rejects with the error of the Effect, or with the reason of the signal when it aborts. The stack of the error is
   * that of the call: of `site`, where the caller took it in advance, otherwise of whoever awaits the Promise.
   */
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services>, options?: RunOptions) => Promise<A>
  /** What an Effect that begins now runs with. */
  readonly context: () => Context.Context<Services>
  /** Calls a function, and what it publishes has these, also behind an `await`. */
  readonly within: <A>(flow: Flow, call: () => A | PromiseLike<A>) => Promise<A>
  /** Each iteration runs the stream anew. It ends when the iteration is left, or when the bus is closed. */
  readonly iterate: <A, E>(stream: Stream.Stream<A, E, Services>) => AsyncIterable<A>
  /**
   * A handler's call as an Effect: whatever it throws or rejects with is the error of the attempt. An Effect that it
   * returns is run with the services of the bus, and is part of the attempt.
   */
  readonly attempt: (call: (signal: AbortSignal) => unknown) => Effect.Effect<unknown, unknown>
  /** Ends every iteration. */
  readonly end: Effect.Effect<unknown>
}

/** What publishes pass on; what is left out stays as it is, and undefined stops it. */
export interface Flow {
  readonly actor?: Actor | undefined
  readonly tenant?: string | undefined
  readonly baggage?: BaggageInput | undefined
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined
  readonly site?: CallerStack.CallSite
}

export const make = (services: Context.Context<Services>): PromiseRun => {
  const handling = new AsyncLocalStorage<Context.Context<never>>()
  const ended = Deferred.makeUnsafe<void>()
  const context = (): Context.Context<Services> => {
    const own = handling.getStore()
    return own === undefined ? services : Context.merge(own, services)
  }
  const run: PromiseRun["run"] = async (effect, { signal, site } = noOptions) => {
    signal?.throwIfAborted()
    const fiber = Effect.runForkWith(context())(effect, signal === undefined ? noOptions : { signal })
    const exit = fiber.pollUnsafe() ?? (await exitOf(fiber))
    if (Exit.isSuccess(exit)) return exit.value
    // An interrupted Effect ends with an error of its own: the reason says more.
    if (signal?.aborted === true) throw signal.reason
    throw CallerStack.atCallSite(Cause.squash(exit.cause), site ?? CallerStack.here())
  }
  return {
    run,
    context,
    within: async (flow, call) => {
      OptionInvalid.check("within", flow, flowKinds)
      let own = handling.getStore() ?? Context.empty()
      if ("actor" in flow) own = Context.add(own, CurrentActor, flow.actor)
      if ("tenant" in flow) own = Context.add(own, CurrentTenant, flow.tenant)
      if ("baggage" in flow) own = Context.add(own, CurrentBaggage, fromInput(flow.baggage))
      return handling.run(own, async () => call())
    },
    iterate: (stream) => ({
      [Symbol.asyncIterator]: () =>
        withCallerStacks(
          Stream.toAsyncIterableWith(Stream.interruptWhen(stream, Deferred.await(ended)), context())[
            Symbol.asyncIterator
          ]()
        )
    }),
    attempt: (call) =>
      Effect.contextWith((own: Context.Context<never>) =>
        Effect.flatMap(
          // @effect-diagnostics-next-line unknownInEffectCatch:off
          Effect.tryPromise({
            try: (signal) => handling.run(own, async () => call(signal)),
            catch: (error) => error
          }),
          (returned) =>
            Effect.isEffect(returned)
              ? forked(() =>
                  handling.run(own, () => Effect.runForkWith(Context.merge(services, own))(provided(returned)))
                )
              : ReturnedValue.check(returned)
        )
      ),
    end: Deferred.succeed(ended, undefined)
  }
}

const noOptions = {}

const flowKinds: Kinds.Kinds = {
  actor: Kinds.plain,
  tenant: Kinds.text,
  baggage: { expected: "Baggage, or an object whose values are texts", holds: isInput }
} satisfies Kinds.KindsOf<Flow>

const exitOf = <A, E>(fiber: Fiber.Fiber<A, E>): Promise<Exit.Exit<A, E>> =>
  new Promise((resolve) => void fiber.addObserver(resolve))

const withCallerStacks = <A>(iterator: AsyncIterator<A>): AsyncIterator<A> => {
  const next = async (): Promise<IteratorResult<A>> => {
    try {
      return await iterator.next()
    } catch (error) {
      throw CallerStack.atCallSite(error, CallerStack.here())
    }
  }
  return { ...iterator, next }
}

/** Waits for a fiber; an interruption ends the fiber first. */
const forked = <A, E>(fork: () => Fiber.Fiber<A, E>): Effect.Effect<A, E> =>
  Effect.callback((resume) => {
    const fiber = fork()
    fiber.addObserver(resume)
    return Fiber.interrupt(fiber)
  })

// No compiler has seen what it needs: a service that the bus does not have is a defect, which fails the attempt.
const provided = (returned: Effect.Effect<unknown, unknown, unknown>): Effect.Effect<unknown, unknown> =>
  returned as Effect.Effect<unknown, unknown>
