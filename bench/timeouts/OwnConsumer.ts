/** This library by its public API, with `ordering: "key"`. */
import { Effect, Scope, SubscriptionRef, Stream } from "effect"
import { openBus } from "../peers/ours.ts"
import { typeOf } from "../GradeMessage.ts"
import type { Consume } from "./Protocol.ts"

export const consume: Consume = async (job, handle, say) => {
  const { bus, contract, runtime } = await openBus(job.url, { ordering: "key" })
  const scope = Scope.makeUnsafe()
  const subscription = await runtime.runPromise(
    Scope.provide(
      bus.subscribe(job.subscriber, {
        events: [contract(typeOf(job.subscriber))],
        ordering: "key",
        prefetch: job.prefetch,
        concurrency: job.concurrency,
        handler: ({ data }) => Effect.promise(() => handle(data))
      }),
      scope
    )
  )
  if (job.declareOnly) return runtime.dispose()
  const statuses = SubscriptionRef.changes(subscription.status)
  runtime.runFork(
    Stream.runForEach(statuses, ({ _tag }) =>
      _tag === "Running" ? Effect.void : Effect.sync(() => say(`it is ${_tag}`))
    )
  )
}
