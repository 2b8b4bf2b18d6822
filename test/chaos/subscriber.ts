/** A service that handles: it does what the events order, and writes down what happens to it. */
import { Cause, Data, Duration, Effect, Exit, Layer, Schedule } from "effect"
import { Batch, eventBusLive, HandlerTimeout, Reject, runMain, Subscriber } from "../../src/index.ts"
import * as Bugs from "./Bugs.ts"
import { begin, busOptions } from "./Child.ts"
import { type Group, retryMillis, Step, type SubscriberOptions, Tick } from "./Contract.ts"

// The controller that started it wrote it.
const options = JSON.parse(process.argv[2] ?? "{}") as SubscriberOptions
const child = begin(options)
const { write } = child
Bugs.install(options)

class Thrown extends Data.TaggedError("Thrown")<{ readonly message: string }> {}

const obey = Effect.fnUntraced(function* ({ kind, ms }: Step, attempt: number) {
  yield* Effect.sleep(ms)
  switch (kind) {
    case "flaky":
      return attempt === 1 ? yield* new Thrown({ message: "fails the first time" }) : undefined
    case "throw":
      return yield* new Thrown({ message: "fails every time" })
    case "reject":
      return yield* new Reject({ reason: "not wanted" })
    case "hang":
      return yield* Effect.never
    default:
      return
  }
})

const [first, second] = retryMillis
const retry = Schedule.exponential(first, second / first).pipe(Schedule.upTo({ times: retryMillis.length }))

const endOf = (exit: Exit.Exit<unknown, unknown>): "done" | "fail" | "stop" =>
  Exit.isSuccess(exit) ? "done" : Cause.hasInterrupts(exit.cause) ? "stop" : "fail"

/** One that hangs must not make its whole batch late. */
const inTime = <E>(work: Effect.Effect<unknown, E>, millis: number) =>
  Effect.timeoutOrElse(work, {
    duration: millis,
    orElse: () => Effect.fail(new HandlerTimeout({ deadline: Duration.millis(millis) }))
  })

const subscriber = (group: Group) => {
  const {
    batch,
    concurrency,
    deadline = 500,
    deaf = false,
    events,
    idempotent,
    name: g,
    ordering,
    parks = false,
    prefetch
  } = group
  const common = {
    ordering,
    idempotent,
    deadline: Duration.millis(deadline),
    retry,
    ...(parks && { onBlocked: "park" as const }),
    ...(concurrency !== undefined && { concurrency }),
    ...(prefetch !== undefined && { prefetch })
  }
  const track = <E>(
    event: { readonly id: string },
    { attempt, redelivered }: Subscriber.DeliveryInfo,
    place: { readonly key: string; readonly seq: number },
    work: Effect.Effect<unknown, E>
  ): Effect.Effect<unknown, E> =>
    Effect.suspend(() => {
      write({ t: "start", id: event.id, g, ...place, attempt, redelivered })
      child.reach("at-start")
      const tracked = Effect.onExit(work, (exit) =>
        Effect.sync(() => {
          write({ t: endOf(exit), id: event.id, g, ...place })
          if (Exit.isSuccess(exit)) child.reach("after-handle")
        })
      )
      return deaf ? Effect.uninterruptible(tracked) : tracked
    })
  /** Its effect is that of the whole batch, at its end: what is interrupted before has applied nothing. */
  const together = Effect.fnUntraced(function* (
    steps: ReadonlyArray<{ readonly id: string; readonly data: Step }>,
    deliveries: ReadonlyArray<Subscriber.DeliveryInfo>
  ) {
    const tell = (t: "done" | "fail" | "stop", { data: { key, seq }, id }: (typeof steps)[number]) =>
      write({ t, id, g, key, seq })
    for (const [i, { data, id }] of steps.entries()) {
      const { attempt = 1, redelivered = false } = deliveries[i] ?? {}
      write({ t: "start", id, g, key: data.key, seq: data.seq, attempt, redelivered })
    }
    child.reach("at-start")
    const each = Effect.forEach(
      steps,
      ({ data }, i) => Effect.exit(inTime(obey(data, deliveries[i]?.attempt ?? 1), deadline / 2)),
      { concurrency: "unbounded" }
    )
    const exits = yield* Effect.onInterrupt(each, () => Effect.sync(() => steps.forEach((step) => tell("stop", step))))
    const failures = exits.flatMap((exit, i) => {
      const step = steps[i]
      if (step === undefined) return []
      tell(endOf(exit), step)
      return Exit.isFailure(exit) ? [{ event: step.id, cause: exit.cause }] : []
    })
    child.reach("after-handle")
    if (failures.length > 0) return yield* new Batch.BatchFailure({ failures })
  })
  if (batch !== undefined) return Subscriber.layer(g, { ...common, events: [Step], batch, handler: together })
  return events === "step"
    ? Subscriber.layer(g, {
        ...common,
        events: [Step],
        handler: (event, info) =>
          track(event, info, { key: event.data.key, seq: event.data.seq }, obey(event.data, info.attempt))
      })
    : Subscriber.layer(g, {
        ...common,
        events: [Tick],
        handler: (event, info) => track(event, info, { key: "", seq: event.data.n }, Effect.void)
      })
}

const Ready = Layer.effectDiscard(Effect.sync(() => write({ t: "ready" })))
const Subscribers = options.groups.reduce<ReturnType<typeof subscriber>>(
  (layers, group) => Layer.merge(layers, subscriber(group)),
  Layer.empty
)
const Bus = Bugs.bus(options) ?? eventBusLive(busOptions(options))

runMain(Ready.pipe(Layer.provide(Subscribers), Layer.provide(Bus), Layer.provide(child.log)))
