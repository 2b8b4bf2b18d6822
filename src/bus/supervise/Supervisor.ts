/**
 * Keeps a subscriber alive: runs one life after the other until the subscriber is drained or has failed. A
 * subscriber that fails affects no other.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberHandle from "effect/FiberHandle"
import * as Scope from "effect/Scope"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Event from "../../event/Event.ts"
import type * as Meters from "../../observe/Meters.ts"
import type { Counters } from "../delivery/PolicyParts.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { BrokerRefused, Closed } from "../port/BrokerReason.ts"
import { SubscribeError } from "../subscriber/SubscribeError.ts"
import type * as SubscriberSettings from "../subscriber/SubscriberSettings.ts"
import type { RestartOptions } from "../subscriber/SubscriberOptions.ts"
import * as Backoff from "../support/Backoff.ts"
import { CurrentShutdown, type Shutdown } from "../support/Shutdown.ts"
import * as Life from "./Life.ts"
import * as Redeclare from "./Redeclare.ts"
import * as Restarts from "./Restarts.ts"
import type { SharedParts } from "./SharedParts.ts"
import type { StatusTracker } from "./Status.ts"
import * as SubscriberDrain from "./SubscriberDrain.ts"
import * as SubscriberGauges from "./SubscriberGauges.ts"
import * as SubscriberParts from "./SubscriberParts.ts"
import * as SubscriptionHandle from "./SubscriptionHandle.ts"

/** The first start is tried again for this long while the broker is in trouble. */
const startMillis = 10_000

/**
 * Starts a subscriber in the current scope. Completes when its queue is declared, bound and consumed.
 * `onGap` is called for ephemeral subscribers when events may have been missed.
 */
export const start = <E extends Event.Any, Err, R>(
  shared: SharedParts,
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  context: Context.Context<R>,
  onGap: () => void
) =>
  // A start that fails leaves nothing in the scope of its caller.
  Effect.flatMap(Effect.flatMap(Effect.scope, Scope.fork), (own) =>
    startIn(shared, subscriber, context, onGap).pipe(
      Scope.provide(own),
      Effect.onError(() => Scope.close(own, Exit.void))
    )
  )

const startIn = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(
  shared: SharedParts,
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  context: Context.Context<R>,
  onGap: () => void
) {
  const { broker, drainBudget, log } = shared
  const { ephemeral } = subscriber
  const shutdown = yield* CurrentShutdown
  // Older than the finalizer of the drain below, so that consumers outlive the drain.
  const consumerScope = yield* Scope.fork(yield* Effect.scope)
  const parts = yield* SubscriberParts.make(shared, subscriber, context, consumerScope)
  const { call, consumers, counters, parking, runner, spec, status } = parts
  const look = yield* SubscriberGauges.start({
    broker,
    subscriber,
    runner,
    counters,
    parked: () => parking?.count() ?? 0,
    log,
    status: status.ref
  })
  const life = yield* Life.make({
    broker,
    spec,
    ephemeral,
    consumers,
    runner,
    status,
    depth: () => look.depth(),
    log,
    onGap
  })
  const supervision = yield* FiberHandle.make<void>()
  const { run } = new Supervision({ ...parts, shared, subscriber, life, shutdown })
  const end = yield* SubscriberDrain.make({
    subscriber,
    runner,
    parking,
    consumers,
    budget: drainBudget,
    log,
    onBegin: Effect.suspend(() => {
      shared.onDrain()
      return status.become("Draining")
    }),
    flush: call.flush,
    stopSupervising: FiberHandle.clear(supervision),
    onEnd: (how) => status.end(how)
  })
  const drain = end(drainBudget.handlers)
  const subscription = SubscriptionHandle.make({ ...parts, subscriber, look, drain, stop: Effect.asVoid(end(0)) })
  // Older than the drain, which operators see, and earlier than the first handler, which an operator may have paused.
  if (!ephemeral && shared.fleet !== undefined)
    yield* shared.fleet.join({
      subscriber,
      subscription,
      lag: () => ({ ready: look.depth()?.ready, oldest: runner.oldest() }),
      lanes: () => runner.keys(),
      obey: parts.pauseControl.obey
    })
  yield* Effect.addFinalizer(() =>
    Effect.map(drain, (whole) => {
      if (!whole) shutdown.cutOff = true
    })
  )
  if (!ephemeral) yield* Redeclare.start({ broker, spec, log, isRunning: () => status.isRunning() })

  yield* FiberHandle.run(supervision, run)
  yield* Deferred.await(life.started).pipe(
    Effect.mapError((error) => SubscribeError.fromBroker(subscriber.name, error))
  )
  yield* parts.pauseControl.begin
  return subscription
})

interface SupervisionParts {
  readonly shared: SharedParts
  readonly subscriber: { readonly name: string; readonly restarts: RestartOptions }
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly metrics: Meters.SubscriberMetrics
  readonly runner: Runner
  readonly status: StatusTracker
  readonly life: Life.Life
  readonly shutdown: Shutdown
}

/** Decides after each life whether another one follows, and when. */
class Supervision {
  /** Runs until the subscriber has stopped or failed for good. */
  readonly run: Effect.Effect<void>
  private readonly parts: SupervisionParts
  private readonly restartBudget: Restarts.RestartBudget
  private readonly streak = new Backoff.Streak(Restarts.backoff)
  private readonly now: Monotonic.Monotonic
  private readonly begunAt: number

  constructor(parts: SupervisionParts) {
    this.parts = parts
    this.restartBudget = new Restarts.RestartBudget(parts.subscriber.restarts)
    this.now = Monotonic.of(parts.clock)
    this.begunAt = this.now()
    const { life } = parts
    this.run = Effect.exit(life.run).pipe(
      Effect.flatMap((exit) => this.after(exit)),
      Effect.repeat({ while: (livesOn) => livesOn }),
      // However it ends before the first life has begun, the caller gets an error: the bus or the scope closes.
      Effect.ensuring(Deferred.fail(life.started, new BrokerError({ reason: new Closed() })))
    )
  }

  /** Returns whether the subscriber lives on, after the wait before its next life. */
  private after(exit: Exit.Exit<never, BrokerError>): Effect.Effect<boolean> {
    const { life, runner, status } = this.parts
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    const brokerError = error instanceof BrokerError ? error : undefined
    const detail = error instanceof Error ? error.message : "its consumer ended"
    return Effect.gen({ self: this }, function* () {
      if (brokerError?.reason._tag === "Closed") {
        yield* status.become("Stopped")
        return false
      }
      if (runner.overran()) return yield* this.fail("subscriber failed", detail)
      const reported = brokerError ?? new BrokerError({ reason: new BrokerRefused({ operation: "starting", detail }) })
      const isFirst = !(yield* Deferred.isDone(life.started))
      if (isFirst && !this.startsAgain(brokerError)) {
        yield* status.become("Failed", detail)
        yield* Deferred.fail(life.started, reported)
        return false
      }
      if (this.isExhausted(brokerError)) {
        yield* this.fail("subscriber failed: too many restarts without progress", detail)
        this.failLayer(reported)
        return false
      }
      yield* this.waitForRestart(detail)
      return true
    })
  }

  /** Whether the first start is tried again: its caller gets the errors that waiting does not heal. */
  private startsAgain(error: BrokerError | undefined): boolean {
    const elapsed = this.now() - this.begunAt
    return error !== undefined && error.isRetryable && elapsed <= startMillis
  }

  private isExhausted(error: BrokerError | undefined): boolean {
    const { counters } = this.parts
    const { deadLettered, handled, postponed, retried, skipped } = counters
    const progress = deadLettered + handled + postponed + retried + skipped
    return !Restarts.isBlameless(error) && this.restartBudget.isExhausted(this.now(), progress)
  }

  private fail(message: string, detail: string): Effect.Effect<false> {
    const { shared, status, subscriber } = this.parts
    shared.log.error(message, { subscriber: subscriber.name, detail })
    return Effect.as(status.become("Failed", detail), false)
  }

  private failLayer({ reason }: BrokerError): void {
    const { shutdown, subscriber } = this.parts
    if (subscriber.restarts.onExhausted !== "fail-layer") return
    shutdown.fail?.(new SubscribeError({ subscriber: subscriber.name, reason }))
  }

  private waitForRestart(detail: string): Effect.Effect<void> {
    const { life, metrics, shared, status, subscriber } = this.parts
    return Effect.gen({ self: this }, function* () {
      status.restarts++
      metrics.restarts.update(1)
      const attempt = this.streak.failedAfter(life.end())
      yield* status.become("Restarting", detail)
      shared.log.warning("subscriber restarts", { subscriber: subscriber.name, restarts: status.restarts, detail })
      yield* Restarts.wait(shared.broker.status, yield* Backoff.delay(Restarts.backoff, attempt))
    })
  }
}
