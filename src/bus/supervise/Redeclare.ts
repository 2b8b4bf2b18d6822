/**
 * Declares the queue and bindings of a running subscriber again now and then. The broker notifies a consumer when
 * its queue is deleted, but not when a binding is: events would pass the subscriber by while it looks healthy.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Log from "../../observe/Log.ts"
import * as LookPace from "../support/LookPace.ts"
import type { Broker, SubscriberSpec } from "../port/Broker.ts"

/** On average: the processes of a fleet must not do it at the same time. */
const everyMillis = 60_000

/** Declares until the scope ends. */
export const start = (options: {
  readonly broker: Broker["Service"]
  readonly spec: SubscriberSpec
  readonly log: Log.Log
  readonly isRunning: () => boolean
}) => {
  const { broker, isRunning, log, spec } = options
  const declare = Effect.catch(broker.declare(spec), (error) =>
    Effect.sync(() =>
      log.warning("its queue or a binding may be missing", { subscriber: spec.name, detail: error.message })
    )
  )
  return Effect.all([Random.next, LookPace.between(everyMillis)]).pipe(
    Effect.flatMap(([jitter, millis]) => Effect.sleep(millis * (0.5 + jitter))),
    Effect.andThen(Effect.suspend(() => (isRunning() ? declare : Effect.void))),
    Effect.forever,
    Effect.forkScoped
  )
}
