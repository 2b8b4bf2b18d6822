/**
 * Takes each delivery of a subscriber from its arrival to its settlement: it is read, waits for its turn, its
 * handler runs under a deadline, and the outcome settles it. One runner serves one subscriber for its whole life,
 * over any number of consumers.
 *
 * The path of a handled event is callbacks and one fiber, the handler's own. A failure is settled in a fiber of
 * its own. It holds no permit meanwhile, and without ordering it blocks no other event.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import { constVoid } from "effect/Function"
import * as Latch from "effect/Latch"
import type * as Tracer from "effect/Tracer"
import type * as Event from "../../event/Event.ts"
import type * as Trace from "../../observe/Trace.ts"
import type { Admission } from "../admit/Admission.ts"
import * as Expiry from "../delivery/Expiry.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import * as SafeFailure from "../delivery/SafeFailure.ts"
import type { Work } from "../delivery/Work.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import type * as SubscriberSettings from "../subscriber/SubscriberSettings.ts"
import { longSeconds } from "../support/LongHandlers.ts"
import { Accept } from "./Accept.ts"
import * as Attempt from "./Attempt.ts"
import { Conclude, type ConcludeParts } from "./Conclude.ts"
import { CrashGuard } from "./CrashGuard.ts"
import * as Deadlines from "./Deadlines.ts"
import { giveBack, returnsAgain, wasAttempted } from "./GiveBack.ts"
import * as LaneReport from "./LaneReport.ts"
import type { ParkingApi, ParkingHost } from "./ParkingApi.ts"
import { PendingDecisions } from "./PendingDecisions.ts"
import type { Runner } from "./RunnerApi.ts"
import { type RunnerParts, RunnerState } from "./RunnerState.ts"
import { StartOrLeave } from "./StartOrLeave.ts"
import { cameBack, type Trials } from "./Trials.ts"

interface LoopParts {
  readonly policy: FailurePolicy
  readonly admission: Admission | undefined
  readonly trace: Trace.Trace
  readonly trials: Trials
}

/** Starts handlers as long as there is room for them, and follows each to its end. */
class HandlerLoop {
  readonly quiet = Latch.makeUnsafe(true)
  readonly hasRunning = Latch.makeUnsafe(false)
  /** Open once more handlers ignore their deadline than the subscriber can bear. */
  readonly overrun = Latch.makeUnsafe(false)
  private readonly state: RunnerState
  private readonly guard: CrashGuard
  private readonly decisions: PendingDecisions
  private readonly conclude: Conclude
  private readonly startAttempt: Attempt.StartAttempt
  private readonly trace: Trace.Trace
  private readonly policy: FailurePolicy
  private readonly admission: Admission | undefined
  readonly trials: Trials
  /** Detached, so that no drain waits for it. */
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private pumping = false

  constructor(
    state: RunnerState,
    guard: CrashGuard,
    decisions: PendingDecisions,
    conclude: Conclude,
    startAttempt: Attempt.StartAttempt,
    { admission, policy, trace, trials }: LoopParts,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  ) {
    this.state = state
    this.guard = guard
    this.decisions = decisions
    this.conclude = conclude
    this.startAttempt = startAttempt
    this.trace = trace
    this.trials = trials
    this.policy = policy
    this.admission = admission
    this.fork = fork
  }

  /** `now` is the time, where it is known: the clock is read for each handler but the first. */
  pump(now?: number): void {
    // A handler that ends at once would otherwise start the next one inside of its own end.
    if (this.pumping) return
    this.pumping = true
    const { guard, state, trials } = this
    let later: Array<Work> | undefined
    while (state.hasRoom()) {
      const work = guard.isOn ? guard.next() : state.mailbox.take()
      if (work === undefined) break
      // Its consumer is gone. The broker brings it again, and it must not run twice.
      if (work.delivery.lost()) {
        state.release(work)
        continue
      }
      if (work.event.expiryTime !== undefined && this.hasExpired(work)) {
        if (trials.isOn) trials.ended(work)
        this.decisions.start(work, this.policy.deadLetterExpired(work))
        continue
      }
      const before = state.parking?.before(work)
      if (before !== undefined) this.decisions.start(work, before)
      else if (trials.isOn && !trials.mayStart(work)) (later ??= []).push(work)
      else this.start(work, now ?? state.now())
      now = undefined
    }
    if (later !== undefined) for (const work of later.toReversed()) state.mailbox.again(work, work.event.key)
    this.pumping = false
  }

  /** One that was handled before is no dead letter: an idempotent subscriber asks for that first. */
  private hasExpired({ event: { expiryTime } }: Work): boolean {
    return this.admission?.asksWhetherHandled !== true && Expiry.isOver(expiryTime, this.state.wall())
  }

  private start(work: Work, now: number): void {
    const { running } = this.state
    // It may have ended a process before: what was handled until now must not come back with it. The guard did that.
    if (!this.guard.isOn && (work.delivery.redelivered || cameBack(work))) work.origin.flush(constVoid)
    work.startedAt = now
    work.began = this.state.metrics.stopwatch()
    work.timedOut = false
    if (running.size === 0) {
      this.quiet.closeUnsafe()
      this.hasRunning.openUnsafe()
    }
    running.add(work)
    const span = this.startAttempt(work)
    work.running?.addObserver((exit) => this.end(work, span, exit))
  }

  private end(work: Work, span: Tracer.Span | undefined, exit: Exit.Exit<unknown, unknown>): void {
    const { state } = this
    const errorType = SafeFailure.errorType(work, exit)
    if (span !== undefined) this.trace.end(span, SafeFailure.redactAttempt(state.subscriber, work, exit), errorType)
    const wasZombie = work.zombie
    if (wasZombie) {
      state.zombies--
      work.zombie = false
    }
    state.running.delete(work)
    const seconds = state.metrics.processed(work.began, errorType)
    if (seconds >= longSeconds) state.longHandlers.end(state.subscriber.name, work, seconds)
    if (seconds >= state.slowSeconds || work.origin.parked) state.parking?.took(work, seconds)
    // Without ordering, a zombie was settled when it became one.
    if (!wasZombie || state.keyed) this.conclude.attempt(work, exit)
    if (this.trials.isOn) this.trials.settling(work, () => !state.open.has(work), this.fork)
    this.pump()
    // Must be last: waiters run synchronously and may close the channel before the ack is sent.
    if (state.running.size === 0) {
      this.hasRunning.closeUnsafe()
      this.quiet.openUnsafe()
    }
  }

  /** Frees the permit of a handler that neither ends nor can be interrupted, up to a bound. */
  giveUpOn(work: Work): void {
    const { state } = this
    work.zombie = true
    state.zombies++
    state.log.error("a handler ignores its deadline and its interruption", state.logFields(work))
    if (state.zombies > state.capacity.maxZombies()) this.overrun.openUnsafe()
    this.trials.ended(work)
    // By key it stays in its lane: two events of one key never run at once.
    if (!state.keyed) {
      const successor: Work = { ...work, running: undefined, timedOut: false, zombie: false }
      state.open.delete(work)
      state.open.add(successor)
      this.conclude.overdue(successor)
    }
    this.pump()
  }
}

export const make = Effect.fnUntraced(function* <E extends Event.Any, Err, R, P extends ParkingApi>(
  parts: Omit<RunnerParts, "subscriber"> &
    ConcludeParts &
    Omit<Attempt.AttemptParts<R>, "subscriber"> & {
      readonly subscriber: SubscriberSettings.Settled<E, Err, R>
      /** Remembers delayed events. */
      readonly cache: CacheStore["Service"]
      /** Called for each event of a keyed subscriber that this process does not know and another one might. */
      readonly onUnknown: () => void
      /** Of the whole process. */
      readonly trials: Trials
      /** Of a keyed subscriber. */
      readonly parking: ((host: ParkingHost) => P) | undefined
    }
) {
  const { policy, subscriber } = parts
  const settlements = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(settlements)<never>()
  const state = new RunnerState(parts, parts.call.size, yield* Clock.Clock, fork)
  const decisions = new PendingDecisions(state)
  const forkDetached = Effect.runForkWith(yield* Effect.context<never>())
  const guard = new CrashGuard(state, decisions, forkDetached)
  const startOrLeave = new StartOrLeave(state, decisions, { ...parts, fork: forkDetached })
  const conclude = new Conclude(state, decisions, { ...parts, startOrLeave })
  const loop = new HandlerLoop(state, guard, decisions, conclude, Attempt.starter(parts), parts, forkDetached)
  const accept = new Accept(state, guard, decisions, {
    policy,
    cache: parts.cache,
    onUnknown: parts.onUnknown,
    startOrLeave
  })
  state.pump = (now) => loop.pump(now)
  yield* Effect.acquireRelease(
    Effect.sync(() => parts.longHandlers.add(subscriber.name, () => state.running)),
    (remove) => Effect.sync(remove)
  )
  yield* Effect.acquireRelease(
    Effect.sync(() => parts.trials.add(state)),
    (remove) => Effect.sync(remove)
  )
  const parking = parts.parking?.(parkingHost(state))
  state.parking = parking
  yield* Deadlines.watch({
    running: state.running,
    asksStores: parts.admission !== undefined,
    hasRunning: loop.hasRunning,
    deadlineMillis: subscriber.deadlineMillis,
    onZombie: (work) => loop.giveUpOn(work)
  })
  return {
    parking,
    runner: api(state, decisions, loop, {
      accept:
        state.keyed && [...subscriber.contracts.values()].some(({ dataCodec }) => dataCodec.mayBeLater)
          ? (delivery, origin) => accept.acceptInTurn(delivery, origin)
          : (delivery, origin) => accept.accept(delivery, origin),
      giveBack: (which) => giveBack(state, decisions, policy, which),
      settledAll: FiberSet.awaitEmpty(settlements),
      parkAttempted: () => giveBack(state, decisions, policy, (work) => !state.running.has(work) && wasAttempted(work)),
      returnsAgain: () => returnsAgain(state, decisions)
    })
  }
})

const parkingHost = (state: RunnerState): ParkingHost => ({
  mailbox: state.mailbox,
  heads: state.heads,
  now: () => state.wall(),
  monotonic: state.now,
  run: (effect) => state.fork(Effect.asVoid(effect)),
  pump: () => state.pump(),
  release: (work) => state.release(work, false),
  duplicate: (work) => {
    state.acknowledgeDuplicate(work)
    state.release(work, false)
  },
  offer: (work) => state.mailbox.offer(work, work.event.key)
})

const api = (
  state: RunnerState,
  decisions: PendingDecisions,
  loop: HandlerLoop,
  own: Pick<Runner, "accept" | "giveBack" | "settledAll" | "parkAttempted" | "returnsAgain">
): Runner => ({
  ...own,
  hold: state.capacity.hold,
  setConcurrency: state.capacity.setConcurrency,
  setLimit: state.capacity.setLimit,
  quiet: loop.quiet.await,
  wake: (which, why) => {
    for (const work of state.open) if (work.wake !== undefined && which(work)) work.wake(why)
    // The original comes again, so a copy that was not sent yet must not come too.
    if (why === "Lost") decisions.interrupt(which)
  },
  running: () => state.running.size,
  held: () => state.open.size,
  open: () => state.open,
  oldest: () => LaneReport.oldest(state.open),
  keys: () => (state.keyed ? LaneReport.lanes(state, decisions) : []),
  stuck: () =>
    state.open.size > 0 &&
    state.running.size === 0 &&
    decisions.size === 0 &&
    state.capacity.hasRoom(0) &&
    !loop.trials.isOn,
  zombies: () => state.zombies,
  lanes: () => state.mailbox.lanes(),
  waiting: () => LaneReport.waiting(state),
  overrun: loop.overrun.await,
  overran: () => loop.overrun.isOpen()
})
