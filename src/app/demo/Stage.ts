/**
 * What the five services of the demo share: publishing with an actor who may, and subscribers that
 * take a few milliseconds, meet the fate of their events and keep the ledger.
 */
import { Effect, type Layer } from "effect"
import { EventBus } from "../../bus/EventBus.ts"
import type { PublishError } from "../../bus/BusError.ts"
import type { PublishOptions } from "../../bus/PublishOptions.ts"
import * as Subscriber from "../../bus/Subscriber.ts"
import type { SubscribeError } from "../../bus/BusError.ts"
import { type Events, isMatch } from "../../bus/Subscription.ts"
import type { PermittedName } from "../../catalog/index.ts"
import { CurrentActor } from "../../event/Actor.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import * as Fate from "./Fate.ts"
import type { Ledger } from "./Ledger.ts"
import { actorFor } from "./Samples.ts"
import { int, type Random } from "./University.ts"

export interface Stage {
  readonly random: Random
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
      readonly react?: (event: Envelope.Of<E>) => Effect.Effect<void, Err, EventBus>
    }
  ) => Layer.Layer<never, SubscribeError, EventBus>
}

export const make = (ledger: Ledger, random: Random): Stage => ({
  random,
  say: Effect.fnUntraced(function* (event, data, options) {
    const bus = yield* EventBus
    yield* Effect.provideService(bus.publish(event, data, options), CurrentActor, actorFor(event, data))
    ledger.publish(event.name)
  }),
  listen: (service, topic, { concurrency = 16, events, ordering = "none", react }) => {
    const name = `${service}.${topic}`
    const account = ledger.open(service, name, isMatch(events) ? events.events : events)
    const putOff = new Set<string>()
    return Subscriber.layer(name, {
      events,
      ordering,
      concurrency,
      retry: Fate.retry,
      handler: (event, delivery) =>
        Effect.gen(function* () {
          yield* Effect.sleep(int(random, 1, 5))
          yield* Fate.meet(delivery, event.id, putOff)
          if (react !== undefined) yield* react(event)
          ledger.handle(account, event.id)
        })
    })
  }
})
