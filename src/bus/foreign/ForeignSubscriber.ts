/**
 * A subscriber of another system's events: one like every other, with a queue of its own, whose messages come from exchanges
 * and queues that others declared.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Event from "../../event/Event.ts"
import type { ForeignEvents } from "../subscriber/ForeignEvents.ts"
import { SubscribeError, SubscriberInvalid } from "../subscriber/SubscribeError.ts"
import type * as SubscriberSettings from "../subscriber/SubscriberSettings.ts"
import type { Subscription } from "../subscriber/Subscription.ts"
import { CurrentIds } from "../support/EventIds.ts"
import type { SharedParts } from "../supervise/SharedParts.ts"
import * as Supervisor from "../supervise/Supervisor.ts"
import { ForeignBroker } from "./ForeignBroker.ts"
import * as ForeignIntake from "./ForeignIntake.ts"
import { ForeignReader } from "./ForeignReader.ts"

/** Starts it in the current scope. Completes when its own queue and those of the other system are consumed. */
export const start = <E extends Event.Any, Err, R>(
  shared: SharedParts,
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  foreign: ForeignEvents<E>,
  context: Context.Context<R>
) =>
  // A start that fails leaves nothing in the scope of its caller.
  Effect.flatMap(Effect.flatMap(Effect.scope, Scope.fork), (own) =>
    startIn(shared, subscriber, foreign, context).pipe(
      Scope.provide(own),
      Effect.onError(() => Scope.close(own, Exit.void))
    )
  )

const startIn = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(
  shared: SharedParts,
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  foreign: ForeignEvents<E>,
  context: Context.Context<R>
) {
  const { broker, copiesOf, log } = shared
  const { from } = foreign
  const { name, ordering } = subscriber
  yield* checkNames(name, from, broker.namespace)
  const reader = new ForeignReader(foreign, {
    clock: yield* Clock.Clock,
    ids: yield* CurrentIds,
    isOrdered: ordering === "key",
    onSkipped: (type) => {
      if (log.debugEnabled) log.debug("an event of another system was skipped", { subscriber: name, event: type })
    }
  })
  const seen = new ForeignBroker({ broker, subscriber: name, from, reader, log })
  const subscription = yield* Supervisor.start({ ...shared, broker: seen.service }, subscriber, context, () => {})
  const copies = copiesOf({ name, ordering, patterns: [] })
  const intakes = yield* Effect.forEach(from.queues, (queue) =>
    ForeignIntake.start({ broker, subscriber: { name, ordering }, queue, copies, log })
  )
  const stop = Effect.forEach(intakes, (intake) => intake.stop, { concurrency: "unbounded", discard: true })
  const fault = (): string | undefined =>
    seen.fault() ?? intakes.map((intake) => intake.fault()).find((found) => found !== undefined)
  return {
    ...subscription,
    tree: Effect.map(subscription.tree, (tree) => ({
      ...tree,
      lag: { ...tree.lag, fault: tree.lag.fault ?? fault() }
    })),
    drain: Effect.andThen(stop, subscription.drain),
    stop: Effect.andThen(stop, subscription.stop)
  } satisfies Subscription
})

/** Queues and exchanges of ours have a form and rights of their own. */
const checkNames = (
  subscriber: string,
  { bindings, queues }: ForeignEvents<Event.Any>["from"],
  namespace: string
): Effect.Effect<void, SubscribeError> => {
  const own = [...queues, ...bindings.map(({ exchange }) => exchange)].find((name) => name.startsWith(`${namespace}.`))
  return own === undefined
    ? Effect.void
    : Effect.fail(
        new SubscribeError({
          subscriber,
          reason: new SubscriberInvalid({
            option: "events",
            problem: `"${own}" belongs to this bus, whose namespace is "${namespace}"`,
            remedy: "List the contracts of its events"
          })
        })
      )
}
