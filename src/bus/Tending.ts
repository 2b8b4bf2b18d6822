/**
 * Declares again, now and then, what a running subscriber needs on the broker. A queue that goes tells its
 * consumer; a binding that was deleted by hand tells nobody, and events would pass the subscriber by while
 * it looks healthy (P11).
 */
import { Effect, Random } from "effect"
import type * as Log from "../observe/Log.ts"
import type { Broker, SubscriberSpec } from "./Broker.ts"

/** On average: the processes of a fleet must not do it together. */
const everyMillis = 60_000

/** Until the scope ends. */
export const watch = (options: {
  readonly broker: Broker["Service"]
  readonly spec: SubscriberSpec
  readonly log: Log.Log
  readonly running: () => boolean
}) => {
  const { broker, log, running, spec } = options
  const declare = Effect.catch(broker.declare(spec), (error) =>
    Effect.sync(() =>
      log.warning("its queue or a binding may be missing", { subscriber: spec.name, detail: error.message })
    )
  )
  return Random.next.pipe(
    Effect.flatMap((jitter) => Effect.sleep(everyMillis * (0.5 + jitter))),
    Effect.andThen(Effect.suspend(() => (running() ? declare : Effect.void))),
    Effect.forever,
    Effect.forkScoped
  )
}
