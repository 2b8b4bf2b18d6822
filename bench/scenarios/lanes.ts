/** Consumes by key and tells, beside the cost, what lanes there were and what memory was left in use. */
import { Deferred, Effect, Exit, Scope } from "effect"
import type { Subscription } from "../../src/index.ts"
import * as Meter from "../Meter.ts"
import { openBus } from "../peers/ours.ts"
import { typeOf } from "../Wire.ts"
import type { Job, Report } from "./Job.ts"

const heapMiB = (): number => {
  // Two, since what finalizers and weak references hold goes in the second.
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

export const lanes = async (job: Job): Promise<Report> => {
  const { bus, contract, runtime } = await openBus(job.url, job.variant)
  const scope = Scope.makeUnsafe()
  let seen = 0
  let most = 0
  let warmHeap = 0
  let stop = Meter.start(job.brokerPid)
  const reading = await runtime.runPromise(
    Effect.gen(function* () {
      const subscribed = yield* Deferred.make<Subscription>()
      const look = Deferred.await(subscribed).pipe(
        Effect.flatMap(({ stats }) => stats),
        Effect.map((stats) => {
          most = Math.max(most, stats.lanes)
        })
      )
      const subscription = yield* bus.subscribe(job.subscriber, {
        events: [contract(typeOf(job.subscriber))],
        // It gives way once, as one does that waits for something: else a lane is gone before the next comes.
        handler: () => {
          seen++
          if (seen === job.warm) {
            warmHeap = heapMiB()
            stop = Meter.start(job.brokerPid)
          }
          return seen % 500 === 0 ? Effect.andThen(Effect.yieldNow, look) : Effect.yieldNow
        },
        ordering: job.variant.ordering ?? "none",
        prefetch: job.prefetch
      })
      yield* Deferred.succeed(subscribed, subscription)
      yield* Effect.sleep("2 millis").pipe(Effect.repeat({ until: () => seen >= job.warm + job.count }))
      return stop()
    }).pipe(Scope.provide(scope))
  )
  const heap = heapMiB()
  await runtime.runPromise(Scope.close(scope, Exit.void))
  await runtime.dispose()
  return { events: job.count, ...reading, lanes: most, heapMiB: heap, heapGrowthMiB: heap - warmHeap }
}
