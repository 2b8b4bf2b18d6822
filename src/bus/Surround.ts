/** Puts the hooks of a bus around its handlers and its publishes, once: without hooks these stay the functions that they are. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type { Around, Handled, Passed, Provided, Published } from "./ProvidedHooks.ts"
import type { PublishOptions } from "./publish/PublishOptions.ts"
import type { Publisher } from "./publish/Publisher.ts"
import { PublishAllError, PublishError, textOfId } from "./send/PublishError.ts"
import * as PublishReason from "./send/PublishReason.ts"
import * as HandlerReturn from "./subscriber/HandlerReturn.ts"
import { AroundFailure, Later, Reject } from "./subscriber/HandlerError.ts"
import { withoutFlow } from "./support/WithoutFlow.ts"
import type { BatchHandler, DeliveryInfo, Handler } from "./subscriber/SubscriberOptions.ts"
import type { Plan, Settled } from "./subscriber/SubscriberSettings.ts"

/** One side of a hook: around handling, or around publishing. */
interface Side<About> {
  readonly hook: string
  readonly run: (inner: Effect.Effect<unknown, Passed>, about: About) => Effect.Effect<unknown, unknown, unknown>
  readonly context: Context.Context<never>
}

const sidesOf = <About>(
  hooks: ReadonlyArray<Provided>,
  side: (around: Around<unknown, unknown>) => Side<About>["run"] | undefined
): ReadonlyArray<Side<About>> =>
  hooks.flatMap(({ around, context }) => {
    const run = side(around)
    return run === undefined ? [] : [{ hook: around.name, run, context: withoutFlow(context) }]
  })

/** What became of an Effect within a hook, which may run it several times or never. */
class Inner<A, E> {
  begun = false
  /** Its last success. */
  success: { readonly value: A } | undefined
  /** Its last failure. */
  failure: { readonly error: E } | undefined
  private readonly failures = new Set<unknown>()

  watch<R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      this.begun = true
      return Effect.onExit(self, (exit) => Effect.sync(() => this.note(exit)))
    })
  }

  /** Whether it failed with this error: a hook cannot make an error of the type `Passed`. */
  failedWith(error: unknown): error is E {
    return this.failures.has(error)
  }

  private note(exit: Exit.Exit<A, E>): void {
    if (Exit.isSuccess(exit)) this.success = { value: exit.value }
    else for (const reason of exit.cause.reasons) if (Cause.isFailReason(reason)) this.fail(reason.error)
  }

  private fail(error: E): void {
    this.failure = { error }
    this.failures.add(error)
  }
}

/** One hook around an Effect. `own` makes the failure of what the hook itself fails with. */
const surround = <A, E, R, About, Own>(
  { context, run }: Side<About>,
  self: Effect.Effect<A, E, R>,
  about: About,
  own: (cause: unknown, inner: Inner<A, E>) => Own
): Effect.Effect<Inner<A, E>, E | Own, R> =>
  Effect.suspend(() => {
    const inner = new Inner<A, E>()
    // A hook sees neither the type of the failures nor that of the services, which its fiber has.
    const passed = inner.watch(self) as Effect.Effect<unknown, unknown, never> as Effect.Effect<unknown, Passed>
    const surrounded = Effect.mapError(HandlerReturn.effectOf(run(passed, about)), (error) =>
      inner.failedWith(error) ? error : own(error, inner)
    )
    return Effect.as(
      // What the fiber has goes first; the services of the hook were there when it was provided, as its layer says.
      Effect.updateContext(surrounded as Effect.Effect<unknown, E | Own, R>, (current: Context.Context<R>) =>
        Context.merge(context, current)
      ),
      inner
    )
  })

/** A subscriber whose handler runs within the hooks; the same subscriber if none of them is around handling. */
export const subscriber = <E extends Event.Any, Err, R>(
  settled: Settled<E, Err, R>,
  hooks: ReadonlyArray<Provided>
): Settled<E, Err, R> => {
  const sides = sidesOf<Handled>(hooks, ({ handling }) => handling)
  return sides.length === 0 ? settled : { ...settled, plan: planWithin(settled.name, settled.plan, sides) }
}

const planWithin = <E extends Event.Any, Err, R>(
  name: string,
  plan: Plan<E, Err, R>,
  sides: ReadonlyArray<Side<Handled>>
): Plan<E, Err, R> => {
  const within = (
    handle: () => Effect.Effect<unknown, Err, R>,
    // The contracts of a subscriber are not known here, and all of their events are envelopes.
    events: ReadonlyArray<unknown>,
    deliveries: ReadonlyArray<DeliveryInfo>
  ): Effect.Effect<unknown, Err, R> => {
    const handled = { subscriber: name, events: events as ReadonlyArray<Envelope.Envelope>, deliveries }
    const inmost: Effect.Effect<unknown, unknown, R> = Effect.suspend(() => HandlerReturn.effectOf(handle()))
    const all = sides.reduceRight((self, side) => surround(side, self, handled, failureOf(side.hook)), inmost)
    // What the hooks add, `AroundFailure`, `Reject` and `Later`, is known to every failure policy.
    return all as Effect.Effect<unknown, Err, R>
  }
  if (plan._tag === "Single") {
    const handler: Handler<E, Err, R> = (event, delivery) =>
      within(() => plan.handler(event, delivery), [event], [delivery])
    return { ...plan, handler }
  }
  const handler: BatchHandler<E, Err, R> = (events, deliveries) =>
    within(() => plan.handler(events, deliveries), events, deliveries)
  return { ...plan, handler }
}

const failureOf =
  (hook: string) =>
  (cause: unknown): Reject | Later | AroundFailure =>
    cause instanceof Reject || cause instanceof Later ? cause : new AroundFailure({ hook, cause })

/** A publisher within the hooks; the same publisher if none of them is around publishing. */
export const publisher = (bus: Publisher, hooks: ReadonlyArray<Provided>, newId: () => string): Publisher => {
  const sides = sidesOf<Published>(hooks, ({ publishing }) => publishing)
  if (sides.length === 0) return { publish: bus.publish, publishAll: bus.publishAll }
  return {
    publish: (event, data, given = noOptions) =>
      Effect.suspend(() => {
        // However often the hooks publish, it is one event, and a failure of theirs names the id that it may be stored with.
        const options = Predicate.isObject(given) && given["id"] === undefined ? { ...given, id: newId() } : given
        const call = { event, call: "publish", data, options } as const
        return publishWithin(sides, bus.publish(event, data, options), call, newId, (error) => error)
      }),
    publishAll: (event, items, options = noOptions) => {
      const call = { event, call: "publishAll", data: undefined, options } as const
      return publishWithin(sides, bus.publishAll(event, items, options), call, newId, stopped)
    }
  }
}

const noOptions: PublishOptions = {}

/** A hook failed around a `publishAll`: the events that this call sent before stay counted. */
const stopped = (error: PublishError, { failure, success }: Inner<number, PublishAllError>): PublishAllError => {
  if (success !== undefined) {
    const { value } = success
    return new PublishAllError({ confirmed: value, next: value, failures: [{ index: value, error }] })
  }
  if (failure === undefined) return PublishAllError.refused(error)
  const { confirmed, failures, next } = failure.error
  return new PublishAllError({ confirmed, next, failures: [{ index: next, error }, ...failures] })
}

const publishWithin = <A, E>(
  sides: ReadonlyArray<Side<Published>>,
  publish: Effect.Effect<A, E>,
  published: Published,
  newId: () => string,
  failure: (error: PublishError, inner: Inner<A, E>) => E
): Effect.Effect<A, E> => {
  const failed =
    (hook: string) =>
    (cause: unknown, inner: Inner<A, E>): E => {
      const { event, options } = published
      const id = options?.id === undefined ? newId() : textOfId(options.id)
      // Callers come from outside of TypeScript too.
      const name = String(event?.name ?? "?")
      const reason = new PublishReason.AroundFailed({ hook, begun: inner.begun, cause })
      return failure(new PublishError({ event: name, id, reason }), inner)
    }
  return sides.reduceRight<Effect.Effect<A, E>>(
    (self, side) =>
      // What a hook acquires ends with the call.
      Effect.flatMap(Effect.scoped(surround(side, self, published, failed(side.hook))), (inner) =>
        inner.success === undefined
          ? Effect.fail(failed(side.hook)(new Error(withoutPublish), inner))
          : Effect.succeed(inner.success.value)
      ),
    publish
  )
}

/** A caller is never told that an event is stored when it is not. */
const withoutPublish = "it succeeded although no publish within it did: pass its failure on, or fail"
