/**
 * What happens to one delivery: decode, wait for its turn, run the handler under its deadline, settle
 * by the outcome. One runner serves one subscriber for its whole life, over any number of consumers.
 *
 * The path of an event that is handled is callbacks and one fiber, the handler's own. What fails is
 * settled in a fiber of its own and holds neither a permit nor, without order, anybody else.
 */
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  type Fiber,
  FiberSet,
  Latch,
  Result,
  Scope,
  Tracer
} from "effect"
import * as Codec from "../event/Codec.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type { InvalidEvent, UnknownEvent, UnknownVersion } from "../event/EventError.ts"
import * as Limits from "../event/Limits.ts"
import type * as Log from "../observe/Log.ts"
import type * as Metrics from "../observe/Metrics.ts"
import * as Trace from "../observe/Trace.ts"
import type { Delivery } from "./Broker.ts"
import * as BusError from "./BusError.ts"
import * as Diagnosis from "./Diagnosis.ts"
import * as Mailbox from "./Mailbox.ts"
import { CurrentHandling } from "./Publisher.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import type * as Subscription from "./Subscription.ts"

/** The consumer that brought a delivery. */
export interface Origin {
  /** Whether it takes one delivery at a time, to find out which one kills the process. */
  readonly isolated: boolean
  /** Called for each delivery when it is looked at. */
  readonly arrived: (delivery: Delivery) => void
  /** Called when a delivery of it is settled or given up. */
  readonly settled: (delivery: Delivery) => void
}

/** A delivery on its way through the subscriber. */
export interface Work {
  readonly delivery: Delivery
  readonly origin: Origin
  readonly parsed: Codec.Parsed
  readonly event: Envelope.Envelope
  readonly receivedAt: number
  /** What it had been through when it came. */
  readonly received: RuntimeHeaders.Progress
  /** Changes with each failed attempt in this process. */
  progress: RuntimeHeaders.Progress
  startedAt: number
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  timedOut: boolean
  zombie: boolean
  /** Interrupted on purpose, to be given back: not a failed attempt. */
  givenBack: boolean
  /** Set while it waits in place: ends the wait early, and says why. */
  wake: ((why: Disturbance) => void) | undefined
}

/** What ends a wait early: too many wait behind it, the bus drains, or its consumer is gone. */
export type Disturbance = "LaneFull" | "Drain" | "Lost"

/** Whether a decision has settled the delivery, or wants it to run again here and now. */
export type Decision = "settled" | "again"

/** What failed, as the policy has to decide on it. */
export type Verdict =
  | { readonly _tag: "Failed"; readonly error: unknown }
  | { readonly _tag: "Rejected"; readonly error: BusError.Reject }
  | { readonly _tag: "Later"; readonly error: BusError.Later }

/** Decides on what was not handled; each decision runs in a fiber of its own. */
export interface Policy {
  readonly undecodable: (
    delivery: Delivery,
    parsed: Codec.Parsed | undefined,
    error: InvalidEvent | UnknownVersion | UnknownEvent
  ) => Effect.Effect<void>
  readonly notYetDue: (work: Work) => Effect.Effect<Decision>
  /** It was on its way each time that a process died. */
  readonly crashed: (work: Work) => Effect.Effect<Decision>
  /** The bus drains before its next attempt in this process could start. */
  readonly handedOver: (work: Work) => Effect.Effect<Decision>
  /** `behind` is how many events of its key wait for it. */
  readonly failed: (work: Work, verdict: Verdict, behind: number) => Effect.Effect<Decision>
}

export interface Counters {
  handled: number
  retried: number
  deadLettered: number
  postponed: number
  skipped: number
  returns: number
}

export interface Runner {
  readonly accept: (delivery: Delivery, origin: Origin) => void
  /** Whether handlers may start, as far as this one says: all must agree. */
  readonly hold: (who: "probe" | "drain", on: boolean) => void
  /** Completes when no handler runs. */
  readonly quiet: Effect.Effect<void>
  /**
   * Interrupts the handlers of these deliveries and forgets those that did not start; without order,
   * those that have failed in this process before are handed over with what is known of them.
   */
  readonly giveBack: (which: (work: Work) => boolean) => void
  /** Ends the waits in place of these deliveries. */
  readonly disturb: (which: (work: Work) => boolean, why: Disturbance) => void
  /** Completes when nothing is being settled. */
  readonly settledAll: Effect.Effect<void>
  readonly running: () => number
  readonly held: () => number
  readonly zombies: () => number
  readonly lanes: () => number
  /** Completes when more handlers ignore their deadline than the subscriber can bear. */
  readonly overrun: Effect.Effect<void>
}

const zombieGraceMillis = 5000
/** Below the queue's delivery limit of 20, so that the crash net of the broker is the exception. */
const maxCrashes = 10

export const make = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(parts: {
  readonly subscriber: Subscription.Settled<E, Err, R>
  readonly context: Context.Context<R>
  readonly policy: Policy
  readonly counters: Counters
  readonly metrics: Metrics.SubscriberMetrics
  readonly log: Log.Log
  readonly trace: Trace.Trace
}) {
  const { context, counters, log, metrics, policy, subscriber, trace } = parts
  const clock = yield* Clock.Clock
  const settlements = yield* FiberSet.make<void>()
  const settle = yield* FiberSet.runtime(settlements)<never>()
  const box: Mailbox.Mailbox<Work> = subscriber.ordering === "key" ? Mailbox.keyed() : Mailbox.unordered()
  // In the order of their starts, which is the order of their deadlines.
  const running = new Set<Work>()
  const open = new Set<Work>()
  const warned = new Set<string>()
  const quiet = yield* Latch.make(true)
  const hasRunning = yield* Latch.make(false)
  const overrun = yield* Latch.make(false)
  const run = Effect.runForkWith(context)
  const maxZombies = Math.max(1, Math.floor(subscriber.concurrency / 2))
  const holders = new Set<string>()
  let zombies = 0
  let pumping = false

  const accept: Runner["accept"] = (delivery, origin) => {
    // Who hears of the arrival may close its consumer within the call.
    if (!delivery.lost()) origin.arrived(delivery)
    if (delivery.lost()) return origin.settled(delivery)
    const { messageId, timestamp, type, appId } = delivery.properties
    const parsed = Codec.parse(delivery.body, Limits.defaults, {
      type,
      id: messageId,
      source: appId,
      time: timestamp === undefined ? undefined : new Date(timestamp)
    })
    const decoded = Result.isFailure(parsed)
      ? Result.fail(parsed.failure)
      : Codec.decode(parsed.success, subscriber.contracts.get(parsed.success.type))
    if (Result.isFailure(decoded)) return refuse(delivery, origin, Result.getOrUndefined(parsed), decoded.failure)
    const received = RuntimeHeaders.read(delivery)
    const work: Work = {
      delivery,
      origin,
      // Decoding has succeeded, so parsing has.
      parsed: (parsed as Result.Success<Codec.Parsed, never>).success,
      event: decoded.success,
      receivedAt: clock.currentTimeMillisUnsafe(),
      received,
      progress: received,
      startedAt: 0,
      fiber: undefined,
      timedOut: false,
      zombie: false,
      givenBack: false,
      wake: undefined
    }
    open.add(work)
    if (origin.isolated && delivery.deliveryCount >= maxCrashes) return decide(work, policy.crashed(work))
    if (work.progress.due !== undefined && work.progress.due > work.receivedAt)
      return decide(work, policy.notYetDue(work))
    box.offer(work, work.event.key)
    if (subscriber.ordering === "key") crowd(work)
    pump()
  }

  /** A head that waits is told when too many stand behind it. */
  const crowd = (work: Work): void => {
    if (box.behind(work.event.key) <= subscriber.prefetch / 2) return
    for (const other of open) if (other.wake !== undefined && other.event.key === work.event.key) other.wake("LaneFull")
  }

  const refuse = (
    delivery: Delivery,
    origin: Origin,
    parsed: Codec.Parsed | undefined,
    error: InvalidEvent | UnknownVersion | UnknownEvent
  ): void => {
    if (error._tag === "UnknownEvent" && subscriber.unknown === "skip") {
      counters.skipped++
      metrics.outcome("skipped").update(1)
      if (!warned.has(error.event)) {
        warned.add(error.event)
        log.warning("an event that this subscriber did not ask for was skipped", {
          subscriber: subscriber.name,
          event: error.event
        })
      }
      delivery.ack()
      return origin.settled(delivery)
    }
    settle(
      Effect.onExit(policy.undecodable(delivery, parsed, error), () => Effect.sync(() => origin.settled(delivery)))
    )
  }

  const pump = (): void => {
    // A handler that ends at once would otherwise start the next one inside of its own end.
    if (pumping) return
    pumping = true
    while (holders.size === 0 && running.size - zombies < subscriber.concurrency) {
      const work = box.take()
      if (work === undefined) break
      // Its consumer is gone: the broker brings it again, and it must not run twice.
      if (work.delivery.lost()) release(work)
      else start(work)
    }
    pumping = false
  }

  const start = (work: Work): void => {
    work.startedAt = clock.currentTimeMillisUnsafe()
    work.timedOut = false
    if (running.size === 0) {
      quiet.closeUnsafe()
      hasRunning.openUnsafe()
    }
    running.add(work)
    const scope = Scope.makeUnsafe()
    const parent = Trace.extract(work.delivery.headers)
    const span = trace.start(`process ${work.event.type}`, "consumer", parent, {
      "messaging.system": "rabbitmq",
      "messaging.operation.name": "process",
      "messaging.destination.name": work.event.type,
      "messaging.message.id": work.event.id,
      "messaging.consumer.group.name": subscriber.name,
      "eventbus.attempt": work.progress.attempt
    })
    const surrounding = span ?? parent
    const fiber = run(
      Effect.onExitPrimitive(
        Effect.suspend(() =>
          // The contract found by this event's type made its data, so it is one of the union.
          subscriber.handler(work.event as Envelope.Of<E>, {
            subscriber: subscriber.name,
            attempt: work.progress.attempt,
            firstFailure: work.progress.firstFailure === undefined ? undefined : new Date(work.progress.firstFailure),
            redelivered: work.delivery.redelivered,
            replays: work.progress.replays,
            headers: RuntimeHeaders.userHeaders(work.delivery)
          })
        ),
        (exit) => Scope.closeUnsafe(scope, exit)
      ).pipe(
        Effect.updateContext((current: Context.Context<R>) => {
          const own = Context.add(Context.add(current, Scope.Scope, scope), CurrentHandling, {
            id: work.event.id,
            correlationId: work.event.correlationId
          })
          return surrounding === undefined ? own : Context.add(own, Tracer.ParentSpan, surrounding)
        })
      )
    )
    work.fiber = fiber
    fiber.addObserver((exit) => {
      trace.end(span, exit)
      ended(work, exit)
    })
  }

  const ended = (work: Work, exit: Exit.Exit<unknown, unknown>): void => {
    const wasZombie = work.zombie
    if (wasZombie) {
      zombies--
      metrics.zombies.update(zombies)
      work.zombie = false
    }
    running.delete(work)
    metrics.duration.update((clock.currentTimeMillisUnsafe() - work.startedAt) / 1000)
    // A zombie without order was settled when it became one.
    if (!wasZombie || subscriber.ordering === "key") conclude(work, exit)
    pump()
    // Last: who waits for this runs within the call, and may close the channel that the ack needs.
    if (running.size === 0) {
      hasRunning.closeUnsafe()
      quiet.openUnsafe()
    }
  }

  const conclude = (work: Work, exit: Exit.Exit<unknown, unknown>): void => {
    if (work.delivery.lost()) return release(work)
    if (Exit.isSuccess(exit) && !work.timedOut) {
      counters.handled++
      metrics.outcome("handled").update(1)
      work.delivery.ack()
      if (log.debugEnabled) log.debug("handled", fields(work))
      return release(work)
    }
    if (work.givenBack) {
      counters.returns++
      metrics.returns.update(1)
      return release(work)
    }
    decide(work, policy.failed(work, work.timedOut ? timedOut : verdictOf(exit), box.behind(work.event.key)))
  }
  const timedOut: Verdict = {
    _tag: "Failed",
    error: new BusError.HandlerTimeout({ deadline: Duration.millis(subscriber.deadlineMillis) })
  }

  const decide = (work: Work, decision: Effect.Effect<Decision>): void => {
    settle(
      Effect.onExit(decision, (exit) =>
        Effect.sync(() => {
          work.wake = undefined
          if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
            // It stays unacknowledged: the broker brings it again when the channel closes.
            log.error("settling failed", { ...fields(work), detail: Cause.pretty(exit.cause) })
          }
          if (Exit.isSuccess(exit) && exit.value === "again" && !work.delivery.lost()) box.again(work, work.event.key)
          else release(work)
          pump()
        })
      )
    )
  }

  const release = (work: Work): void => {
    open.delete(work)
    box.done(work.event.key)
    work.origin.settled(work.delivery)
  }

  const giveBack: Runner["giveBack"] = (which) => {
    for (const work of box.drop(which)) {
      if (
        subscriber.ordering === "none" &&
        !subscriber.ephemeral &&
        work.progress !== work.received &&
        !work.delivery.lost()
      ) {
        decide(work, policy.handedOver(work))
        continue
      }
      open.delete(work)
      counters.returns++
      metrics.returns.update(1)
      work.origin.settled(work.delivery)
    }
    for (const work of running) {
      if (!which(work)) continue
      work.givenBack = true
      work.fiber?.interruptUnsafe()
    }
  }

  const expire = Effect.gen(function* () {
    for (;;) {
      yield* hasRunning.await
      const now = clock.currentTimeMillisUnsafe()
      let next = subscriber.deadlineMillis
      for (const work of running) {
        if (work.zombie) continue
        const overdue = now - work.startedAt - subscriber.deadlineMillis
        if (overdue >= zombieGraceMillis) bury(work)
        else if (overdue >= 0) {
          if (!work.timedOut) {
            work.timedOut = true
            work.fiber?.interruptUnsafe()
          }
          next = Math.min(next, zombieGraceMillis - overdue)
        } else {
          // Starts are in order: who comes later is due later.
          next = Math.min(next, -overdue)
          break
        }
      }
      yield* Effect.sleep(next)
    }
  })

  /** A handler that neither ends nor can be interrupted gives its permit back, up to a bound. */
  const bury = (work: Work): void => {
    work.zombie = true
    zombies++
    metrics.zombies.update(zombies)
    log.error("a handler ignores its deadline and its interruption", fields(work))
    if (zombies > maxZombies) overrun.openUnsafe()
    // In a lane it stays where it is: two events of one key never run at once.
    if (subscriber.ordering === "none") {
      const successor: Work = { ...work, fiber: undefined, timedOut: false, zombie: false }
      open.delete(work)
      open.add(successor)
      decide(successor, policy.failed(successor, timedOut, 0))
    }
    pump()
  }

  const fields = (work: Work): Log.Fields => ({
    subscriber: subscriber.name,
    event: work.event.type,
    id: work.event.id,
    attempt: work.progress.attempt
  })

  yield* Effect.forkScoped(expire)

  return {
    accept,
    hold: (who, on) => {
      if (on) holders.add(who)
      else if (holders.delete(who)) pump()
    },
    quiet: quiet.await,
    giveBack,
    disturb: (which, why) => {
      for (const work of open) if (work.wake !== undefined && which(work)) work.wake(why)
    },
    settledAll: FiberSet.awaitEmpty(settlements),
    running: () => running.size,
    held: () => open.size,
    zombies: () => zombies,
    lanes: box.lanes,
    overrun: overrun.await
  } satisfies Runner
})

/** In one Cause `Reject` wins over `Later`, `Later` over the policy. */
const verdictOf = (exit: Exit.Exit<unknown, unknown>): Verdict => {
  const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
  let later: BusError.Later | undefined
  let error: { readonly value: unknown } | undefined
  for (const reason of reasons) {
    if (Cause.isFailReason(reason)) {
      const said = Diagnosis.looked(
        () =>
          reason.error instanceof BusError.Reject || reason.error instanceof BusError.Later ? reason.error : undefined,
        undefined
      )
      if (said?._tag === "Reject") return { _tag: "Rejected", error: said }
      if (said?._tag === "Later") later = said
      else error ??= { value: reason.error }
    } else if (Cause.isDieReason(reason)) {
      error ??= { value: new BusError.HandlerDefect({ cause: reason.defect }) }
    }
  }
  if (later !== undefined) return { _tag: "Later", error: later }
  return {
    _tag: "Failed",
    error:
      error === undefined
        ? new BusError.HandlerDefect({ cause: new Error("the handler interrupted itself") })
        : error.value
  }
}
