/**
 * Hooks around handling and around publishing. A hook is an Effect around an Effect: it may provide services, hold a
 * transaction, measure, or fail. It is provided to the layer of a bus, which asks for its hooks once, while it is built: a
 * bus without hooks runs the same functions as if there were none of this.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import { type Around, CurrentAround, type Handled, type Passed, type Published } from "./ProvidedHooks.ts"
import { PublishAllError, PublishError } from "./send/PublishError.ts"
import { AroundFailure } from "./subscriber/HandlerError.ts"

export type { Around, Handled, Passed, Published } from "./ProvidedHooks.ts"

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

/** The hooks of one concern. Either may be left out. */
export interface Hooks<H, P> {
  /** It stands in errors. */
  readonly name: string
  /**
   * Around each attempt of each subscriber, in the fiber and the Scope of the attempt and within its deadline. Its
   * failure is a failed attempt. A hook that succeeds without `handle` has handled the event.
   */
  readonly handling?: (handle: Effect.Effect<unknown, Passed>, handled: Handled) => H
  /** Around each call of `publish` and `publishAll`, in the fiber of the caller. */
  readonly publishing?: (publish: Effect.Effect<unknown, Passed>, published: Published) => P
}

const kinds: Kinds.Kinds = {
  name: Kinds.required(Kinds.text),
  handling: Kinds.func,
  publishing: Kinds.func
}

/**
 * Makes a hook. Its errors and services are inferred from the Effects that it returns.
 *
 * @example
 * ```ts
 * import { Around } from "@eduflow/events"
 * import { Effect } from "effect"
 *
 * export const Slow = Around.make({
 *   name: "slow",
 *   handling: (handle, { subscriber }) =>
 *     Effect.flatMap(Effect.timed(handle), ([elapsed]) => Effect.logDebug(subscriber, elapsed))
 * })
 * ```
 */
export const make = <H extends AnyEffect = never, P extends AnyEffect = never>(
  hooks: Hooks<H, P>
): Around<Exclude<Effect.Error<H | P>, Passed>, Effect.Services<H | P>> => {
  OptionInvalid.check("Around.make", hooks, kinds)
  // What the parameters infer is what these functions return.
  return { name: hooks.name, handling: hooks.handling, publishing: hooks.publishing } as Around<
    Exclude<Effect.Error<H | P>, Passed>,
    Effect.Services<H | P>
  >
}

/**
 * Provides a hook, or an Effect that makes one, to the layer of a bus. Of several, each one surrounds those before it, as with
 * every `pipe`: the last one is the outermost. Where it stands elsewhere, such as beside the bus, there is nothing that it
 * could be merged into: a hook cannot be lost by the way layers are put together.
 *
 * @example
 * ```ts
 * import { Around, EventBusLive } from "@eduflow/events"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const Transaction = Effect.map(SqlClient.SqlClient, (sql) =>
 *   Around.make({ name: "transaction", handling: (handle) => sql.withTransaction(handle) })
 * )
 * export const Bus = EventBusLive.pipe(Around.provide(Transaction))
 * ```
 */
export const provide =
  <Err, R, E2 = never, R2 = never>(around: Around<Err, R> | Effect.Effect<Around<Err, R>, E2, R2>) =>
  <A, E, R1>(bus: Layer.Layer<A, E, R1>): Layer.Layer<A, E | E2, R1 | Exclude<R | R2, Scope.Scope>> =>
    Layer.provide(bus, layerOf(around))

const layerOf = <Err, R, E2, R2>(around: Around<Err, R> | Effect.Effect<Around<Err, R>, E2, R2>) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const made = Effect.isEffect(around) ? yield* around : around
      const context = yield* Effect.context<R>()
      const outer = yield* CurrentAround
      return Context.make(CurrentAround, [...outer, { around: made, context: ofBuilding(context) }])
    })
  )

/** The span in which a bus is built is that of no call. */
const ofBuilding = Context.omit(Tracer.ParentSpan)

/**
 * The error of this hook in a failed attempt or a failed publish, with its type; undefined if it is not the hook that failed.
 *
 * @example
 * ```ts
 * import { Around, Event, Subscriber } from "@eduflow/events"
 * import { Effect, Schedule, Schema } from "effect"
 *
 * class Locked extends Schema.TaggedError<Locked>()("Locked", { since: Schema.String }) {}
 * declare const unlocked: Effect.Effect<void, Locked>
 * const Lock = Around.make({ name: "lock", handling: (handle) => Effect.andThen(unlocked, handle) })
 * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
 *
 * export const Feed = Subscriber.layer("social.feed", {
 *   events: [Posted],
 *   handler: () => Effect.void,
 *   retry: (error) => Schedule.recurs(Around.errorOf(Lock, error)?.since === "today" ? 10 : 1)
 * })
 * ```
 */
export const errorOf = <Err, R>(around: Around<Err, R>, error: unknown): Err | undefined => {
  const failed = failureIn(error)
  // The name is that of the hook, so the error has the type that `make` inferred.
  return failed?.hook === around.name ? (failed.cause as Err) : undefined
}

const failureIn = (error: unknown): { readonly hook: string; readonly cause: unknown } | undefined => {
  if (error instanceof AroundFailure) return error
  if (error instanceof PublishAllError) return failureIn(error.failures[0]?.error)
  if (!(error instanceof PublishError)) return undefined
  const { reason } = error
  return Predicate.isTagged(reason, "AroundFailed") ? reason : undefined
}
