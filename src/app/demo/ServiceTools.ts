/**
 * What the five services of the demo share: publishing as an actor who may, and subscribers that take a few
 * milliseconds, fail as planned and record the outcome in the ledger.
 *
 * Randomness depends on the seed and on what an event says, never on the order in which handlers happen to run: the
 * same seed makes the same events, however busy the machine is.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { EventBus } from "../../bus/EventBus.ts"
import * as Subscriber from "../../bus/Subscriber.ts"
import type { Confirmed, PublishOptions } from "../../bus/publish/PublishOptions.ts"
import type { PublishError } from "../../bus/send/PublishError.ts"
import type { SubscribeError } from "../../bus/subscriber/SubscribeError.ts"
import { type Events, listOf } from "../../bus/subscriber/SubscriberOptions.ts"
import { CurrentIds } from "../../bus/support/EventIds.ts"
import * as SeededRandom from "../../bus/support/SeededRandom.ts"
import * as TextHash from "../../bus/support/TextHash.ts"
import type { PermittedName } from "../../catalog/index.ts"
import { type Actor, CurrentActor } from "../../event/Actor.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import type { Ledger } from "./Ledger.ts"
import * as PlannedFailure from "./PlannedFailure.ts"
import { actorFor } from "./Samples.ts"
import { int } from "./University.ts"

export interface ServiceTools {
  /** Publishes an event of the catalog as an actor who may, and records it. */
  readonly publish: <const Name extends PermittedName, A extends object>(
    event: Event.Event<Name, A>,
    data: NoInfer<A>,
    options?: PublishOptions
  ) => Effect.Effect<void, PublishError, EventBus>
  /** A subscriber of one of the services. `onHandled` runs after an event was handled. */
  readonly subscribe: <E extends Event.Any, Err = never>(
    service: string,
    topic: string,
    options: {
      readonly events: Events<E>
      readonly ordering?: "none" | "key"
      readonly concurrency?: number
      readonly retry?: typeof PlannedFailure.retry
      readonly onHandled?: (
        event: Envelope.Of<E>,
        random: SeededRandom.SeededRandom
      ) => Effect.Effect<void, Err, EventBus>
    }
  ) => Layer.Layer<never, SubscribeError, EventBus>
}

/** Publishes an event and records it. `isDueAfterRun` marks an event whose delay this run does not wait for. */
export const publishRecorded = Effect.fnUntraced(function* <A>(
  ledger: Ledger,
  event: Event.Event<string, unknown, A>,
  data: NoInfer<A>,
  options: PublishOptions & { readonly actor: Actor | undefined; readonly isDueAfterRun?: boolean }
) {
  const { actor, isDueAfterRun = false, ...rest } = options
  const bus = yield* EventBus
  const id = rest.id ?? (yield* CurrentIds).next(yield* Clock.currentTimeMillis)
  const entry = { event: event.name, id }
  ledger.enter(entry)
  const confirmed: Confirmed = yield* Effect.provideService(
    bus.publish<A>(event, data, { ...rest, id }),
    CurrentActor,
    actor
  )
  if (isDueAfterRun) ledger.recordDelayed(entry)
  else ledger.recordPublished(entry)
  return confirmed
})

/** Records dead letters. It has to run before the first subscriber does. */
export const recordDeadLetters = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* Effect.forkScoped(
      Stream.runForEach(bus.failures, (failure) =>
        Effect.sync(() => {
          if (failure._tag === "DeadLettered") ledger.recordDeadLettered(failure.subscriber, failure)
        })
      ),
      { startImmediately: true }
    )
  })

export const make = (ledger: Ledger, seed: number): ServiceTools => ({
  publish: (event, data, options) =>
    Effect.asVoid(publishRecorded(ledger, event, data, { ...options, actor: actorFor(event, data) })),
  subscribe: (
    service,
    topic,
    { concurrency = 16, events, onHandled, ordering = "none", retry = PlannedFailure.retry }
  ) => {
    const name = `${service}.${topic}`
    const account = ledger.openAccount(service, name, listOf(events))
    const postponed = new Set<string>()
    const workTime = SeededRandom.make(seed ^ TextHash.of(name))
    const randomOf = (event: Envelope.Envelope) =>
      SeededRandom.make(seed ^ TextHash.of(`${name} ${event.type} ${JSON.stringify(event.data)}`))
    return Subscriber.layer(name, {
      events,
      ordering,
      concurrency,
      retry,
      handler: (event, delivery) =>
        Effect.gen(function* () {
          yield* Effect.sleep(int(workTime, 1, 5))
          yield* PlannedFailure.apply(delivery, event.id, postponed)
          if (onHandled !== undefined) yield* onHandled(event, randomOf(event))
          ledger.recordHandled(account, { event: event.type, id: event.id })
        })
    })
  }
})
