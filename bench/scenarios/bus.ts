/** Scenarios of a bus alone: dead letters, replay, delays on the ladder, the embedded broker, many events. */
import { Effect, Exit, Schedule, Scope } from "effect"
import { DeadLetters, Reject } from "../../src/index.ts"
import * as Meter from "../Meter.ts"
import { openBus, session } from "../peers/ours.ts"
import { grade, typeOf } from "../GradeMessage.ts"
import { pump, subscribersOf } from "./flow.ts"
import type { Job, Report } from "./Job.ts"

/** Declares the queues of a subscriber, by starting it once. */
export const declare = async (job: Job): Promise<Report> => {
  const stop = Meter.start(job.brokerPid)
  const one = await session(job.url, job.variant)
  for (const name of subscribersOf(job)) await one.consume(name, job.prefetch, () => {})
  await one.close()
  return { events: 0, ...stop() }
}

/** One call publishes all events; they are made as it takes them. */
export const publishAll = async (job: Job): Promise<Report> => {
  const { bus, contract, runtime } = await openBus(job.url, job.variant)
  const event = contract(typeOf(job.subscriber))
  function* grades(count: number) {
    for (let index = 1; index <= count; index++) yield grade(index, job.data)
  }
  await runtime.runPromise(bus.publishAll(event, grades(job.warm)))
  const stop = Meter.start(job.brokerPid)
  const published = await runtime.runPromise(bus.publishAll(event, grades(job.count)))
  const reading = stop()
  await runtime.dispose()
  if (published !== job.count) throw new Error(`${published} of ${job.count} were published`)
  return { events: job.count, ...reading }
}

/** The handler rejects everything: each event becomes a confirmed copy and an ack. */
export const deadLetter = async (job: Job): Promise<Report> => {
  const { bus, contract, runtime } = await openBus(job.url, job.variant)
  const all = job.warm + job.count
  const scope = Scope.makeUnsafe()
  let seen = 0
  let stop = Meter.start(job.brokerPid)
  const reading = await runtime.runPromise(
    Effect.gen(function* () {
      const subscription = yield* bus.subscribe(job.subscriber, {
        events: [contract(typeOf(job.subscriber))],
        handler: () => {
          seen++
          if (seen === job.warm) stop = Meter.start(job.brokerPid)
          return Effect.fail(new Reject({ reason: "not wanted" }))
        },
        prefetch: job.prefetch,
        concurrency: Math.min(job.prefetch, 64)
      })
      yield* Effect.sleep("5 millis").pipe(
        Effect.andThen(subscription.stats),
        Effect.repeat({ until: ({ deadLettered }) => deadLettered >= all })
      )
      return stop()
    }).pipe(Scope.provide(scope))
  )
  await runtime.runPromise(Scope.close(scope, Exit.void))
  await runtime.dispose()
  return { events: job.count, ...reading }
}

/** Sends all dead letters of the subscriber back to it. */
export const replay = async (job: Job): Promise<Report> => {
  const { runtime } = await openBus(job.url, job.variant)
  const some = (limit: number) =>
    Effect.flatMap(DeadLetters, (letters) => letters.replay(job.subscriber, { maxReplays: 1_000, limit }))
  await runtime.runPromise(some(job.warm))
  const stop = Meter.start(job.brokerPid)
  const report = await runtime.runPromise(some(job.count))
  const reading = stop()
  await runtime.dispose()
  if (report.replayed !== job.count) throw new Error(`${report.replayed} of ${job.count} were replayed`)
  return { events: job.count, ...reading }
}

const waitSeconds = 10
/** Events of the warm-up do not come back during the run. */
const warmUpSeconds = 3600

/** The first attempt of each event fails and waits on the broker. How late does the event come back? */
export const ladder = async (job: Job): Promise<Report> => {
  const { bus, contract, runtime } = await openBus(job.url, job.variant)
  const due = new Map<string, number>()
  const late: Array<number> = []
  const scope = Scope.makeUnsafe()
  const waiting = (seconds: number) => Schedule.spaced(`${seconds} seconds`).pipe(Schedule.upTo({ times: 3 }))
  const [short, long] = [waiting(waitSeconds), waiting(warmUpSeconds)]
  let seen = 0
  let stop = Meter.start(job.brokerPid)
  const reading = await runtime.runPromise(
    Effect.gen(function* () {
      const subscription = yield* bus.subscribe(job.subscriber, {
        events: [contract(typeOf(job.subscriber))],
        handler: ({ id }, { attempt }) => {
          const now = performance.now()
          if (attempt > 1) {
            late.push((now - (due.get(id) ?? Number.NaN)) / 1000)
            return Effect.void
          }
          seen++
          if (seen === job.warm) stop = Meter.start(job.brokerPid)
          if (seen <= job.warm) return Effect.fail("warming up")
          due.set(id, now + waitSeconds * 1000)
          return Effect.fail("not yet")
        },
        retry: (error) => (error === "warming up" ? long : short),
        prefetch: job.prefetch,
        concurrency: Math.min(job.prefetch, 64)
      })
      // Retries count when they are decided; an event waits on the broker when it is no longer held.
      yield* Effect.sleep("5 millis").pipe(
        Effect.andThen(subscription.stats),
        Effect.repeat({
          until: ({ held, retried }) => retried >= job.warm + job.count && (held === 0 || late.length > 0)
        })
      )
      const parked = stop()
      // A profile covers the sending only.
      if (job.rate === 0) return parked
      yield* Effect.sleep("20 millis").pipe(Effect.repeat({ until: () => late.length >= job.count }))
      return parked
    }).pipe(Scope.provide(scope))
  )
  await runtime.runPromise(Scope.close(scope, Exit.void))
  await runtime.dispose()
  if (late.length === 0) return { events: job.count, ...reading }
  late.sort((one, other) => one - other)
  const at = (part: number): number => late[Math.min(late.length - 1, Math.floor(late.length * part))] ?? Number.NaN
  return { events: job.count, ...reading, p50: at(0.5) * 1000, p99: at(0.99) * 1000 }
}

/** Publish to handler without a broker; `breadth` subscribers have each event. */
export const embedded = async (job: Job): Promise<Report> => {
  const { bus, contract, runtime } = await openBus("memory://", { ...job.variant, url: "memory://" })
  const scope = Scope.makeUnsafe()
  const type = typeOf(job.subscriber)
  let seen = 0
  let wanted = 0
  let finish = (): void => {}
  const handler = Effect.sync(() => {
    seen++
    if (seen === wanted) finish()
  })
  for (let index = 0; index < job.breadth; index++) {
    const subscribed = bus.subscribe(`${job.subscriber}-${index}`, {
      events: [contract(type)],
      handler: () => handler,
      prefetch: job.prefetch,
      ordering: job.variant.ordering ?? "none"
    })
    await runtime.runPromise(Scope.provide(subscribed, scope))
  }
  const context = await runtime.context()
  const run = Effect.runForkWith(context)
  const sender = {
    publish: (_type: string, data: ReturnType<typeof grade>, done: (error?: unknown) => void) => {
      run(bus.publish(contract(type), data)).addObserver((exit) => done(Exit.isSuccess(exit) ? undefined : exit.cause))
    },
    consume: () => Promise.resolve(),
    close: () => Promise.resolve()
  }
  const flow = async (count: number): Promise<void> => {
    const handled = new Promise<void>((resolve) => {
      wanted = seen + count * job.breadth
      finish = resolve
    })
    await Promise.all([pump(sender, { ...job, breadth: 1 }, count), handled])
  }
  await flow(job.warm)
  const stop = Meter.start(job.brokerPid)
  const memory: Array<number> = []
  const parts = job.scenario === "soak" ? 20 : 1
  for (let part = 0; part < parts; part++) {
    await flow(Math.ceil(job.count / parts))
    memory.push(process.memoryUsage.rss() / 2 ** 20)
  }
  const reading = stop()
  await runtime.runPromise(Scope.close(scope, Exit.void))
  await runtime.dispose()
  return { events: job.count * job.breadth, ...reading, memory }
}
