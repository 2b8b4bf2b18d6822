/** Consumes by key; reports the cost, how many lanes there were and how much memory stayed in use. */
import { Deferred, Effect, Exit, Scope } from "effect"
import type { Subscription } from "../../src/index.ts"
import * as Meter from "../Meter.ts"
import { openBus } from "../peers/ours.ts"
import { typeOf } from "../GradeMessage.ts"
import type { Job, Report } from "./Job.ts"

const heapMiB = (): number => {
  // Two collections: objects behind finalizers and weak references go in the second.
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
        // It yields once, like a handler that waits for something: otherwise a lane ends before the next one begins.
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
