/** A service that handles events as they order, and records each handler in its journal. */
import { Cause, Data, Duration, Effect, Exit, Layer, Schedule } from "effect"
import { Batch, type Envelope, EventBus, HandlerTimeout, Reject, runMain, Subscriber } from "../../src/index.ts"
import * as Bugs from "./Bugs.ts"
import { busOptions, openHarness, reportHealth } from "./ProcessHarness.ts"
import { Mortal, MortalByKey, nameOf, retryMillis, type Step, Tick } from "./Events.ts"
import { eventsOf, firstRelease, groupsOf, retiredOf } from "./Releases.ts"
import type { Group, SubscriberOptions } from "./ProcessOptions.ts"

// The run that started this process wrote it.
const options = JSON.parse(process.argv[2] ?? "{}") as SubscriberOptions
const harness = openHarness(options)
const { write } = harness
Bugs.install(options)
const { release = firstRelease } = options
const MyStep = Bugs.stepOf(options)

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

interface Named {
  readonly source: string
  readonly id: string
}

const endOf = (exit: Exit.Exit<unknown, unknown>): "done" | "fail" | "stop" =>
  Exit.isSuccess(exit) ? "done" : Cause.hasInterrupts(exit.cause) ? "stop" : "fail"

/** An event that hangs must not delay its whole batch. */
const inTime = <E>(work: Effect.Effect<unknown, E>, millis: number) =>
  Effect.timeoutOrElse(work, {
    duration: millis,
    orElse: () => Effect.fail(new HandlerTimeout({ deadline: Duration.millis(millis) }))
  })

const subscriber = (group: Group) => {
  const {
    batch,
    concurrency,
    // Of a process of its own on a busy machine: an event that is well must not miss it.
    deadline = 2000,
    deaf = false,
    events,
    givesUp = false,
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
    ...(givesUp && { onBlocked: "dead-letter" as const }),
    ...(concurrency !== undefined && { concurrency }),
    ...(prefetch !== undefined && { prefetch })
  }
  const track = <E>(
    event: Named,
    { attempt, redelivered }: Subscriber.DeliveryInfo,
    place: { readonly key: string; readonly seq: number },
    work: Effect.Effect<unknown, E>
  ): Effect.Effect<unknown, E> =>
    Effect.suspend(() => {
      const id = nameOf(event.source, event.id)
      write({ t: "start", id, g, ...place, attempt, redelivered })
      harness.reach("at-start")
      const tracked = Effect.onExit(work, (exit) =>
        Effect.sync(() => {
          write({ t: endOf(exit), id, g, ...place })
          if (Exit.isSuccess(exit)) harness.reach("after-handle")
        })
      )
      return deaf ? Effect.uninterruptible(tracked) : tracked
    })
  /** The batch applies its effects at its end: interrupted before, it has applied nothing. */
  const together = Effect.fnUntraced(function* (
    steps: ReadonlyArray<Envelope.Of<typeof Step>>,
    deliveries: ReadonlyArray<Subscriber.DeliveryInfo>
  ) {
    const record = (t: "done" | "fail" | "stop", { data: { key, seq }, id, source }: (typeof steps)[number]) =>
      write({ t, id: nameOf(source, id), g, key, seq })
    for (const [i, { data, id, source }] of steps.entries()) {
      const { attempt = 1, redelivered = false } = deliveries[i] ?? {}
      write({ t: "start", id: nameOf(source, id), g, key: data.key, seq: data.seq, attempt, redelivered })
    }
    harness.reach("at-start")
    const each = Effect.forEach(
      steps,
      ({ data }, i) => Effect.exit(inTime(obey(data, deliveries[i]?.attempt ?? 1), deadline / 2)),
      { concurrency: "unbounded" }
    )
    const exits = yield* Effect.onInterrupt(each, () =>
      Effect.sync(() => steps.forEach((step) => record("stop", step)))
    )
    const failures = exits.flatMap((exit, i) => {
      const step = steps[i]
      if (step === undefined) return []
      record(endOf(exit), step)
      return Exit.isFailure(exit) ? [{ event: step, cause: exit.cause }] : []
    })
    harness.reach("after-handle")
    if (failures.length > 0) return yield* new Batch.BatchFailure({ failures })
  })
  /** Ends the process within this call, or later while others are handled. */
  const die = (event: Named, millis: number): Effect.Effect<void> => {
    const end = (): void => {
      write({ t: "killer", id: nameOf(event.source, event.id), g })
      process.kill(process.pid, "SIGKILL")
      // Nothing may happen until the signal arrives.
      for (;;);
    }
    if (millis === 0) end()
    setTimeout(end, millis)
    return Effect.never
  }
  const mortal = <E extends typeof Mortal | typeof MortalByKey>(
    event: Envelope.Of<E>,
    info: Subscriber.DeliveryInfo
  ): Effect.Effect<unknown> => {
    const { key, kind, ms, seq } = event.data
    return kind === "killer" ? die(event, ms) : track(event, info, { key, seq }, Effect.sleep(ms))
  }
  if (batch !== undefined) return Subscriber.layer(g, { ...common, events: [MyStep], batch, handler: together })
  switch (events) {
    case "step":
      return Subscriber.layer(g, {
        ...common,
        events: [MyStep],
        handler: (event, info) =>
          track(event, info, { key: event.data.key, seq: event.data.seq }, obey(event.data, info.attempt))
      })
    case "mortal":
      return Subscriber.layer(g, { ...common, events: [Mortal], handler: mortal<typeof Mortal> })
    case "mortal-by-key":
      return Subscriber.layer(g, { ...common, events: [MortalByKey], handler: mortal<typeof MortalByKey> })
    case "deployed":
      return Subscriber.layer(g, {
        ...common,
        events: eventsOf(release),
        retired: retiredOf(release),
        handler: (event, info) => {
          const { key, ms, seq } = event.data
          return track(event, info, { key, seq }, Effect.sleep(ms))
        }
      })
    case "tick":
      return Subscriber.layer(g, {
        ...common,
        events: [Tick],
        handler: (event, info) => track(event, info, { key: "", seq: event.data.n }, Effect.void)
      })
  }
}

const Ready = Layer.effectDiscard(Effect.sync(() => write({ t: "ready" })))
const Subscribers = (options.release === undefined ? options.groups : groupsOf(release)).reduce<
  ReturnType<typeof subscriber>
>((layers, group) => Layer.merge(layers, subscriber(group)), Layer.empty)
const Bus = Bugs.bus(options) ?? EventBus.layerAmqp(busOptions(options))

runMain(
  Layer.merge(Ready, reportHealth(harness, options)).pipe(
    Layer.provide(Subscribers),
    Layer.provide(Bus),
    Layer.provide(harness.log)
  )
)
