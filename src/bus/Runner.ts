/**
 * What happens to one delivery: decode, wait for its turn, run the handler under its deadline, settle
 * by the outcome. One runner serves one subscriber for its whole life, over any number of consumers.
 *
 * The path of an event that is handled is callbacks and one fiber, the handler's own. What fails is
 * settled in a fiber of its own and holds neither a permit nor, without order, anybody else.
 */
import { Clock, type Context, Duration, Effect, Exit, FiberSet, Latch } from "effect"
import type * as Event from "../event/Event.ts"
import type * as Log from "../observe/Log.ts"
import type * as Metrics from "../observe/Meters.ts"
import type * as Trace from "../observe/Trace.ts"
import type { Admission, Refusal } from "./Admission.ts"
import * as Attempt from "./Attempt.ts"
import * as Capacity from "./Capacity.ts"
import * as Caution from "./Caution.ts"
import type { Behaviour } from "./Behaviour.ts"
import * as BusError from "./BusError.ts"
import * as Deadlines from "./Deadlines.ts"
import * as Deciding from "./Deciding.ts"
import * as Mailbox from "./Mailbox.ts"
import type * as Parking from "./Parking.ts"
import * as Population from "./Population.ts"
import * as Quoting from "./Quoting.ts"
import * as Reception from "./Reception.ts"
import type * as SubscriberSettings from "./SubscriberSettings.ts"
import * as Tree from "./Tree.ts"
import * as Unasked from "./Unasked.ts"
import { told, type Counters, type Policy, type Runner, type Verdict, verdictOf, type Work } from "./Work.ts"

export const make = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(parts: {
  readonly subscriber: SubscriberSettings.Settled<E, Err, R>
  readonly context: Context.Context<R>
  readonly behaviour: Behaviour<R>
  readonly policy: Policy
  readonly counters: Counters
  readonly metrics: Metrics.SubscriberMetrics
  readonly log: Log.Log
  readonly trace: Trace.Trace
  readonly admission: Admission | undefined
  /** Of a keyed subscriber. */
  readonly parking: ((runner: Parking.Surroundings) => Parking.Parking) | undefined
  /** Nothing can be attempted for a while; something was. */
  readonly onRefused: (refusal: Refusal & { readonly millis: number }) => void
  readonly onAdmitted: () => void
}) {
  const { admission, behaviour, context, counters, log, metrics, onAdmitted, onRefused, policy, subscriber, trace } =
    parts
  const clock = yield* Clock.Clock
  const settlements = yield* FiberSet.make<void>()
  const settle = yield* FiberSet.runtime(settlements)<never>()
  const box: Mailbox.Mailbox<Work> = subscriber.ordering === "key" ? Mailbox.keyed() : Mailbox.unordered()
  // In the order of their starts, which is the order of their deadlines.
  const running = Population.make<Work>()
  const open = Population.make<Work>()
  const quiet = yield* Latch.make(true)
  const hasRunning = yield* Latch.make(false)
  const overrun = yield* Latch.make(false)
  const attempt = Attempt.maker(subscriber, context, behaviour.handle, trace, admission)
  const skip = Unasked.skipper(subscriber.name, { counters, metrics, log })
  const keyed = subscriber.ordering === "key"
  let zombies = 0
  let pumping = false
  const capacity = Capacity.make(subscriber.concurrency, behaviour.size, () => pump())
  const caution = Caution.make({
    open,
    isBusy: (work) => running.has(work) || deciding.has(work),
    handlers: () => running.size - zombies,
    take: box.take,
    takeOf: box.takeOf
  })
  const deciding = Deciding.make({
    run: settle,
    box,
    parking: () => parking,
    release: (work, inLane) => release(work, inLane),
    forget: (work) => {
      open.delete(work)
      work.origin.settled(work.delivery)
    },
    pump: () => pump(),
    failed: (work, detail) => log.error("settling failed", { ...fields(work), detail })
  })
  const { decide } = deciding
  const parking = parts.parking?.({
    box,
    now: () => clock.currentTimeMillisUnsafe(),
    run: settle,
    pump: () => pump(),
    release: (work) => release(work, false),
    duplicate: (work) => {
      duplicate(work)
      release(work, false)
    },
    offer: (work) => box.offer(work, work.event.key)
  })

  const accept = Reception.make({
    subscriber,
    policy,
    box,
    open,
    caution,
    parking,
    decide,
    pump: (now) => pump(now),
    run: settle,
    skip,
    delivered: metrics.delivered,
    now: () => clock.currentTimeMillisUnsafe()
  })

  /** `now` is the time when it is known: the clock is read for each handler but the first. */
  const pump = (now?: number): void => {
    // A handler that ends at once would otherwise start the next one inside of its own end.
    if (pumping) return
    pumping = true
    while (capacity.hasRoom(running.size - zombies)) {
      const work = caution.on() ? caution.next() : box.take()
      if (work === undefined) break
      // Its consumer is gone: the broker brings it again, and it must not run twice.
      if (work.delivery.lost()) {
        release(work)
        continue
      }
      const before = parking?.before(work)
      if (before === undefined) start(work, now ?? clock.currentTimeMillisUnsafe())
      else decide(work, before)
      now = undefined
    }
    pumping = false
  }

  const start = (work: Work, now: number): void => {
    work.startedAt = now
    work.began = metrics.stopwatch()
    work.timedOut = false
    if (running.size === 0) {
      quiet.closeUnsafe()
      hasRunning.openUnsafe()
    }
    running.add(work)
    const { fiber, span } = attempt(work)
    work.fiber = fiber
    fiber.addObserver((exit) => {
      if (span !== undefined) trace.end(span, Quoting.exit(subscriber, work, exit), Quoting.errorType(work, exit))
      ended(work, exit)
    })
  }

  const ended = (work: Work, exit: Exit.Exit<unknown, unknown>): void => {
    const wasZombie = work.zombie
    if (wasZombie) {
      zombies--
      work.zombie = false
    }
    running.delete(work)
    metrics.processed(work.began, Quoting.errorType(work, exit))
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
    if ((Exit.isSuccess(exit) || work.achieved) && !work.timedOut) {
      if (admission !== undefined) onAdmitted()
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
    const refusal = admission?.refusal(exit)
    if (refusal !== undefined) return refused(work, refusal)
    decide(work, policy.failed(work, work.timedOut ? timedOut : verdictOf(exit), box.behind(work.event.key)))
  }
  const duplicate = (work: Work): void => {
    counters.duplicates++
    metrics.outcome("duplicate").update(1)
    work.delivery.ack()
  }
  /** Nothing was attempted. */
  const refused = (work: Work, refusal: Refusal): void => {
    switch (refusal._tag) {
      case "Duplicate": {
        duplicate(work)
        return release(work)
      }
      case "NotNow":
        return decide(work, policy.notNow(work, refusal.millis, box.behind(work.event.key)))
      case "Open":
      case "Enough": {
        // It is the first to run when something can be.
        box.again(work, work.event.key)
        return onRefused(refusal)
      }
    }
  }
  const timedOut: Verdict = {
    _tag: "Failed",
    error: new BusError.HandlerTimeout({ deadline: Duration.millis(subscriber.deadlineMillis) })
  }

  const release = (work: Work, inLane = true): void => {
    open.delete(work)
    if (inLane) box.done(work.event.key)
    work.origin.settled(work.delivery)
    parking?.left(work)
  }

  const giveBack: Runner["giveBack"] = (which) => {
    for (const work of [...box.drop(which), ...(parking?.drop(which) ?? [])]) {
      if (
        subscriber.ordering === "none" &&
        !subscriber.ephemeral &&
        !work.delivery.lost() &&
        // Deploys that follow each other quickly would spend the lives of what never gets to run.
        (work.progress !== work.received || Caution.countOf(work.delivery) >= Caution.thriftyCount)
      ) {
        decide(work, policy.handedOver(work))
        continue
      }
      if (!work.origin.parked) {
        counters.returns++
        metrics.returns.update(1)
      }
      release(work, false)
    }
    for (const work of running) {
      if (!which(work)) continue
      work.givenBack = true
      work.fiber?.interruptUnsafe()
    }
  }

  /** A handler that neither ends nor can be interrupted gives its permit back, up to a bound. */
  const bury = (work: Work): void => {
    work.zombie = true
    zombies++
    log.error("a handler ignores its deadline and its interruption", fields(work))
    if (zombies > capacity.maxZombies()) overrun.openUnsafe()
    // In a lane it stays where it is: two events of one key never run at once.
    if (subscriber.ordering === "none") {
      const successor: Work = { ...work, fiber: undefined, timedOut: false, zombie: false }
      open.delete(work)
      open.add(successor)
      decide(successor, policy.failed(successor, timedOut, 0))
    }
    pump()
  }

  const fields = (work: Work): Log.Fields => told(subscriber.name, work)

  yield* Deadlines.watch({ running, hasRunning, deadlineMillis: subscriber.deadlineMillis, bury })

  return {
    accept,
    ...capacity,
    quiet: quiet.await,
    giveBack,
    disturb: (which, why) => {
      for (const work of open) if (work.wake !== undefined && which(work)) work.wake(why)
      // Its original comes again: a copy that was not sent yet must not come too.
      if (why === "Lost") deciding.interrupt(which)
    },
    settledAll: FiberSet.awaitEmpty(settlements),
    running: () => running.size,
    held: () => open.size,
    open: () => open,
    keys: () => (keyed ? Tree.lanes(open, running, deciding.has) : []),
    stuck: () => open.size > 0 && running.size === 0 && deciding.size() === 0 && capacity.hasRoom(0),
    zombies: () => zombies,
    lanes: box.lanes,
    parking,
    overrun: overrun.await,
    overran: () => overrun.isOpen()
  } satisfies Runner
})
