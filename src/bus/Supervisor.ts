/**
 * Keeps a subscriber alive: declares its queue, opens its consumer, starts again when it is lost, and
 * drains it at the end. A subscriber that fails takes nobody else along (P11).
 *
 * How its consumers come and go while it lives is Consumption's business.
 */
import { Cause, Clock, type Context, Deferred, Effect, Exit, FiberHandle, Random, Scope, SubscriptionRef } from "effect"
import type * as Event from "../event/Event.ts"
import * as Meters from "../observe/Meters.ts"
import type { SubscriberSpec } from "./Broker.ts"
import { BrokerError, BrokerRefused, Closed } from "./BrokerError.ts"
import { SubscribeError } from "./BusError.ts"
import * as Activation from "./Activation.ts"
import * as Admission from "./Admission.ts"
import * as Behaviour from "./Behaviour.ts"
import * as Parking from "./Parking.ts"
import * as Consumption from "./Consumption.ts"
import * as Control from "./Control.ts"
import * as Delayed from "./Delayed.ts"
import * as Ending from "./Ending.ts"
import * as Inbox from "./Inbox.ts"
import * as Measure from "./Measure.ts"
import * as Restarts from "./Restarts.ts"
import * as Runner from "./Runner.ts"
import { CurrentShutdown } from "./Shutdown.ts"
import * as SubscriberSettings from "./SubscriberSettings.ts"
import * as Status from "./Status.ts"
import type * as Subscription from "./Subscription.ts"
import type { Surroundings } from "./Surroundings.ts"
import * as Steering from "./Steering.ts"
import * as Tending from "./Tending.ts"
import * as Tree from "./Tree.ts"
import * as Verdicts from "./Verdicts.ts"
import * as Watchdog from "./Watchdog.ts"
import type { Counters } from "./Work.ts"

const backoffCapMillis = 30_000
/** A start that meets a broker in trouble is tried again for so long. */
const startMillis = 10_000

const overrun = new BrokerError({
  reason: new BrokerRefused({
    operation: "handling",
    detail: "too many handlers ignore their deadline: restart the process"
  })
})

/**
 * Starts a subscriber in the current scope; completes when its queue is declared, bound and consumed.
 * `onGap` is called for ephemeral subscribers when events may have been missed.
 */
export const start = <E extends Event.Any, Err, R>(
  surroundings: Surroundings,
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  context: Context.Context<R>,
  onGap: () => void
) =>
  // A start that fails leaves nothing in the scope of its caller.
  Effect.flatMap(Effect.flatMap(Effect.scope, Scope.fork), (own) =>
    begin(surroundings, subscriber, context, onGap).pipe(
      Scope.provide(own),
      Effect.onError(() => Scope.close(own, Exit.void))
    )
  )

const begin = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(
  surroundings: Surroundings,
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  context: Context.Context<R>,
  onGap: () => void
) {
  const { broker, drain: budget, failures, log, trace } = surroundings
  const scope = yield* Effect.scope
  const shutdown = yield* CurrentShutdown
  const clock = yield* Clock.Clock
  // Sessions belong to a scope that is older than the drain below, so that they outlive it.
  const sessionScope = yield* Scope.fork(scope)
  const metrics = Meters.subscriber(Measure.nameOf(subscriber), surroundings.place, yield* Effect.context<never>())
  const spec: SubscriberSpec = {
    name: subscriber.name,
    ordering: subscriber.ordering,
    patterns: subscriber.patterns,
    parking: subscriber.onBlocked === "park"
  }
  const counters: Counters = {
    handled: 0,
    retried: 0,
    deadLettered: 0,
    postponed: 0,
    skipped: 0,
    duplicates: 0,
    returns: 0
  }
  const settlement = surroundings.settlement(spec)
  let restarts = 0
  const { become, pauses, status } = yield* Status.make(() => restarts)
  let messages = 0
  const nextId = (): string => `${surroundings.process}.${subscriber.name}.${++messages}`
  const restartBudget = Restarts.make(subscriber.restarts)
  const policy = yield* Verdicts.make({ subscriber, settlement, counters, metrics, log, failures })
  const admission = yield* Admission.make({
    subscriber,
    namespace: broker.namespace,
    marks: surroundings.marks,
    stores: surroundings.stores,
    process: surroundings.process,
    log
  })
  const behaviour = Behaviour.make({ subscriber, context, trace })
  const runner = yield* Runner.make({
    subscriber,
    context,
    behaviour,
    policy,
    counters,
    metrics,
    log,
    trace,
    admission,
    parking:
      subscriber.ordering === "key" && !subscriber.ephemeral
        ? (around) => Parking.make({ subscriber, settlement, policy, nextId }, around)
        : undefined,
    onRefused: (refusal) => steering.refused(refusal),
    onAdmitted: () => steering.admitted()
  })
  const activation =
    runner.parking === undefined
      ? undefined
      : yield* Activation.make({ broker, subscriber, runner, parking: runner.parking, inbox: () => inbox, log })
  const accept = Delayed.remembering(surroundings.cache, subscriber.contracts, activation?.accept ?? runner.accept)
  const inbox: Inbox.Inbox = yield* Inbox.make(subscriber.name, accept, log)
  const consumption = yield* Consumption.make({ broker, subscriber, runner, inbox, activation }).pipe(
    Scope.provide(sessionScope)
  )
  const steering = yield* Steering.make({
    subscriber: subscriber.name,
    pause: consumption.pause,
    runner,
    log,
    become: (pause) => {
      pauses(pause)
      return become(runningSince !== undefined ? "Running" : "Restarting")
    }
  })

  const started = yield* Deferred.make<void, BrokerError>()
  /** Undefined while it does not run. */
  let runningSince: number | undefined

  // The user's own: what it throws must not end the supervision.
  const told = Effect.sync(onGap).pipe(
    Effect.catchCause((cause) =>
      Effect.sync(() => log.error("onGap failed", { subscriber: subscriber.name, detail: Cause.pretty(cause) }))
    )
  )

  const running = Effect.gen(function* () {
    runningSince = clock.currentTimeMillisUnsafe()
    yield* become("Running")
    yield* Deferred.succeed(started, undefined)
    // Only now: what comes after the gap is told is not missed.
    if (subscriber.ephemeral && restarts > 0) yield* told
  })
  const isRunning = (): boolean => SubscriptionRef.getUnsafe(status)._tag === "Running"
  const { depth } = yield* Measure.watch(broker, subscriber, runner, { counters, status })
  /** From declaration to loss. */
  const life = (subscriber.ephemeral ? Effect.void : broker.declare(spec)).pipe(
    Effect.andThen(consumption.run(running)),
    Effect.raceFirst(Watchdog.watch({ running: isRunning, stuck: runner.stuck, consumers: () => depth()?.consumers })),
    Effect.raceFirst(Effect.andThen(runner.overrun, Effect.fail(overrun)))
  )

  const supervise = Effect.gen(function* () {
    let inRow = 0
    const begun = clock.currentTimeMillisUnsafe()
    for (;;) {
      const exit = yield* Effect.exit(life)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      const broken = error instanceof BrokerError ? error : undefined
      const detail = error instanceof Error ? error.message : "its consumer ended"
      if (broken?.reason._tag === "Closed") return yield* become("Stopped")
      if (runner.overran()) {
        log.error("subscriber failed", { subscriber: subscriber.name, detail })
        return yield* become("Failed", detail)
      }
      // The first start tells its caller, when waiting cannot heal it or has not.
      const first = !(yield* Deferred.isDone(started))
      const why = broken ?? new BrokerError({ reason: new BrokerRefused({ operation: "starting", detail }) })
      if (
        first &&
        (broken === undefined || !broken.isRetryable || clock.currentTimeMillisUnsafe() - begun > startMillis)
      ) {
        yield* become("Failed", detail)
        return yield* Deferred.fail(started, why)
      }
      const { deadLettered, handled, postponed, retried, skipped } = counters
      const progress = deadLettered + handled + postponed + retried + skipped
      if (!Restarts.isBlameless(broken) && restartBudget.spent(clock.currentTimeMillisUnsafe(), progress)) {
        const problem = new SubscribeError({ subscriber: subscriber.name, reason: why.reason })
        log.error("subscriber failed: too many restarts without progress", { subscriber: subscriber.name, detail })
        yield* become("Failed", detail)
        if (subscriber.restarts.then === "fail the layer") shutdown.fail?.(problem)
        return
      }
      restarts++
      metrics.restarts.update(1)
      const lived = runningSince === undefined ? 0 : clock.currentTimeMillisUnsafe() - runningSince
      runningSince = undefined
      // A second of health takes back one doubling: who is lost at once backs off, who held for a while does not.
      inRow = Math.max(0, inRow - Math.floor(lived / 1000)) + 1
      yield* become("Restarting", detail)
      log.warning("subscriber restarts", { subscriber: subscriber.name, restarts, detail })
      const jitter = yield* Random.next
      yield* Restarts.wait(broker.status, Math.min(100 * 2 ** inRow, backoffCapMillis) * jitter)
    }
  })

  const main = yield* FiberHandle.make<void>()
  yield* FiberHandle.run(
    main,
    // Whatever ends it before it started must be told: a closed broker, a scope that closes.
    Effect.ensuring(supervise, Deferred.fail(started, new BrokerError({ reason: new Closed() })))
  )

  const end = yield* Ending.make({
    subscriber,
    runner,
    consumption,
    budget,
    log,
    begin: Effect.suspend(() => {
      surroundings.onDrain()
      return become("Draining")
    }),
    flush: behaviour.flush,
    // A lost consumer must not be replaced while the old one closes.
    stop: FiberHandle.clear(main),
    ended: become("Stopped")
  })
  const drain = end(budget.handlers)
  yield* Effect.addFinalizer(() =>
    Effect.map(drain, (whole) => {
      if (!whole) shutdown.cutOff = true
    })
  )

  if (!subscriber.ephemeral) {
    yield* Tending.watch({ broker, spec, log, running: isRunning })
  }

  yield* Deferred.await(started).pipe(Effect.mapError((error) => SubscribeError.fromBroker(subscriber.name, error)))
  const stats = (): Subscription.SubscriberStats => ({
    ...counters,
    held: runner.held(),
    inFlight: runner.running(),
    zombies: runner.zombies(),
    parked: runner.parking?.count() ?? 0,
    lanes: runner.lanes()
  })
  return {
    name: subscriber.name,
    status,
    tree: Effect.sync(() => ({
      ...SubscriptionRef.getUnsafe(status),
      ...stats(),
      name: subscriber.name,
      ordering: subscriber.ordering,
      lag: { ready: depth()?.ready, oldest: Tree.oldest(runner.open()) },
      keys: runner.keys()
    })),
    drain,
    stop: Effect.asVoid(end(0)),
    pause: steering.ask(true),
    resume: steering.ask(false),
    release: (key) => Control.release(subscriber, settlement, nextId(), clock.currentTimeMillisUnsafe(), key),
    setConcurrency: (count) =>
      Effect.suspend(() => {
        const fault = SubscriberSettings.concurrencyFault(count)
        if (fault !== undefined) return Effect.fail(new SubscribeError({ subscriber: subscriber.name, reason: fault }))
        behaviour.setConcurrency(count)
        runner.setConcurrency(count)
        return Effect.void
      }),
    stats: Effect.sync(stats)
  } satisfies Subscription.Subscription
})
