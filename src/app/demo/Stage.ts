/**
 * What the five services of the demo share: publishing with an actor who may, and subscribers that
 * take a few milliseconds, meet the fate of their events and keep the ledger.
 *
 * Chance is drawn from the seed and from what an event says, never from the order in which handlers
 * happen to run: the same seed makes the same events, however busy the machine is.
 */
import { Clock, Effect, type Layer, Stream } from "effect"
import type { PublishError, SubscribeError } from "../../bus/BusError.ts"
import { EventBus } from "../../bus/EventBus.ts"
import { CurrentIds } from "../../bus/Ids.ts"
import type { Confirmed, PublishOptions } from "../../bus/PublishOptions.ts"
import * as Subscriber from "../../bus/Subscriber.ts"
import { type Events, isMatch } from "../../bus/SubscriberOptions.ts"
import type { PermittedName } from "../../catalog/index.ts"
import { type Actor, CurrentActor } from "../../event/Actor.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import * as Fate from "./Fate.ts"
import type { Ledger } from "./Ledger.ts"
import { actorFor } from "./Samples.ts"
import { int, type Random, seeded } from "./University.ts"

export interface Stage {
  /** Publishes an event of the catalog as somebody who may, and counts it. */
  readonly say: <const Name extends PermittedName, A extends object>(
    event: Event.Event<Name, A>,
    data: NoInfer<A>,
    options?: PublishOptions
  ) => Effect.Effect<void, PublishError, EventBus>
  /** A subscriber of one of the services. `react` runs when an event was handled well. */
  readonly listen: <E extends Event.Any, Err = never>(
    service: string,
    topic: string,
    options: {
      readonly events: Events<E>
      readonly ordering?: "none" | "key"
      readonly concurrency?: number
      readonly retry?: typeof Fate.retry
      readonly react?: (event: Envelope.Of<E>, random: Random) => Effect.Effect<void, Err, EventBus>
    }
  ) => Layer.Layer<never, SubscribeError, EventBus>
}

/** Publishes with an entry in the ledger; a delay of more than `longestDelayMillis` is not waited for. */
export const enter = Effect.fnUntraced(function* <A>(
  ledger: Ledger,
  event: Event.Event<string, A>,
  data: NoInfer<A>,
  options: PublishOptions & { readonly actor: Actor | undefined; readonly isLate?: boolean }
) {
  const { actor, isLate = false, ...rest } = options
  const bus = yield* EventBus
  const id = rest.id ?? (yield* CurrentIds).next(yield* Clock.currentTimeMillis)
  const entry = { event: event.name, id }
  ledger.begin(entry)
  const confirmed: Confirmed = yield* Effect.provideService(
    bus.publish<A>(event, data, { ...rest, id }),
    CurrentActor,
    actor
  )
  if (isLate) ledger.postpone(entry)
  else ledger.publish(entry)
  return confirmed
})

/** Enters dead letters into the ledger; to be running before the first subscriber is. */
export const bury = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* Effect.forkScoped(
      Stream.runForEach(bus.failures, (failure) =>
        Effect.sync(() => {
          if (failure._tag === "DeadLettered") ledger.bury(failure.subscriber, failure)
        })
      ),
      { startImmediately: true }
    )
  })

export const make = (ledger: Ledger, seed: number): Stage => ({
  say: (event, data, options) =>
    Effect.asVoid(enter(ledger, event, data, { ...options, actor: actorFor(event, data) })),
  listen: (service, topic, { concurrency = 16, events, ordering = "none", react, retry = Fate.retry }) => {
    const name = `${service}.${topic}`
    const account = ledger.open(service, name, isMatch(events) ? events.events : events)
    const putOff = new Set<string>()
    const pace = seeded(seed ^ hash(name))
    return Subscriber.layer(name, {
      events,
      ordering,
      concurrency,
      retry,
      handler: (event, delivery) =>
        Effect.gen(function* () {
          yield* Effect.sleep(int(pace, 1, 5))
          yield* Fate.meet(delivery, event.id, putOff)
          if (react !== undefined) {
            yield* react(event, seeded(seed ^ hash(`${name} ${event.type} ${JSON.stringify(event.data)}`)))
          }
          ledger.handle(account, { event: event.type, id: event.id })
        })
    })
  }
})

/** FNV-1a. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
